// SPDX-License-Identifier: Apache-2.0
/* Lists of networks, as files have them. table.c makes of them what is looked at. */
#include "guard/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ERRORS_MAX 100
#define SHOWN_MAX  60 /* bytes of a bad word */

void guard_list_add(struct guard_list *list, const struct guard_entry *entry)
{
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		struct guard_entry *entries = realloc(list->entries, cap * sizeof(*entries));

		if (!entries) {
			list->is_failed = true;
			return;
		}
		list->entries = entries;
		list->cap = cap;
	}
	list->entries[list->count++] = *entry;
}

void guard_list_done(struct guard_list *list)
{
	free(list->entries);
	*list = (struct guard_list){};
}

/* --- One line --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off @rest; empty: there is none. */
static struct slice next_word(struct slice *rest)
{
	struct slice word;

	while (rest->len && is_blank(*rest->ptr))
		*rest = slice_skip(*rest, 1);
	word = slice_of(rest->ptr, 0);
	while (word.len < rest->len && !is_blank(rest->ptr[word.len]))
		word.len++;
	*rest = slice_skip(*rest, word.len);
	return word;
}

/* timegm() makes 2 March of 30 February. */
static time_t time_of_existing_day(struct tm tm)
{
	int day = tm.tm_mday;
	time_t time = timegm(&tm);

	return tm.tm_mday == day ? time : -1;
}

int guard_parse_time(struct slice text, uint64_t *ret_s)
{
	char copy[24];
	struct tm tm = {};
	const char *end;
	time_t time;

	if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
		return -EINVAL;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	end = strptime(copy, text.len > 10 ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &tm);
	if (!end || *end || (text.len != 10 && text.len != 20))
		return -EINVAL;
	time = time_of_existing_day(tm);
	if (time <= 0)
		return -EINVAL;
	*ret_s = (uint64_t)time;
	return 0;
}

static const char *prefix_problem(int err)
{
	switch (err) {
	case -ERANGE:
		return "has a prefix length that is too long";
	case -EDOM:
		return "has bits set beyond its prefix length";
	default:
		return "is not a network";
	}
}

struct place {
	const char *name;
	size_t line, errors;
	struct strbuf *out;
};

static void report(struct place *place, struct slice word, const char *problem)
{
	char shown[SHOWN_MAX + 1];
	size_t len = word.len < SHOWN_MAX ? word.len : SHOWN_MAX;

	if (++place->errors > ERRORS_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		shown[i] = (char)(word.ptr[i] >= ' ' && word.ptr[i] <= '~' ? word.ptr[i] : '?');
	shown[len] = '\0';
	strbuf_printf(place->out, "%s:%zu: \"%s\" %s\n", place->name, place->line, shown, problem);
}

static void read_line(struct guard_list *list, struct place *place, struct slice line,
		      enum guard_why why)
{
	const struct slice network = next_word(&line);
	struct guard_entry entry = {.why = (uint8_t)why};
	struct slice word;
	char problem[160];
	int err;

	if (!network.len)
		return;
	err = prefix_parse(network, &entry.prefix);
	if (err) {
		snprintf(problem, sizeof(problem),
			 "%s; expected an address or network such as 192.0.2.0/24",
			 prefix_problem(err));
		report(place, network, problem);
		return;
	}
	word = next_word(&line);
	if (slice_equal_str(word, "until")) {
		word = next_word(&line);
		if (guard_parse_time(word, &entry.expires_s)) {
			report(place, word,
			       "is not a time; expected 2026-12-31 or 2026-12-31T12:00:00Z");
			return;
		}
		word = next_word(&line);
	}
	if (word.len)
		report(place, word,
		       "follows the network; expected \"until\" and a time, or a comment after #");
	else if (list->count >= GUARD_LIST_MAX)
		report(place, network, "is one network too many; expected at most 2000000");
	else
		guard_list_add(list, &entry);
}

static struct slice without_comment(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] == '#' || line.ptr[i] == ';')
			return slice_of(line.ptr, i);
	return line;
}

int guard_list_parse(struct guard_list *list, const char *name, struct slice text,
		     enum guard_why why, struct strbuf *errors)
{
	struct place place = {.name = name, .out = errors};

	while (text.len) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;

		place.line++;
		read_line(list, &place, without_comment(slice_of(text.ptr, len)), why);
		text = slice_skip(text, end ? len + 1 : len);
	}
	if (place.errors > ERRORS_MAX)
		strbuf_printf(errors, "%s: %zu bad lines more\n", name, place.errors - ERRORS_MAX);
	return place.errors ? -EINVAL : 0;
}

/* --- A file ----------------------------------------------------------------------------------- */

/* Return: 0 with what the caller frees; -errno. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	struct stat stat;
	size_t len = 0;
	char *text;
	ssize_t n;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EINVAL;
	if ((size_t)stat.st_size > GUARD_LIST_FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)stat.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)stat.st_size) {
		n = read(fd, text + len, (size_t)stat.st_size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			free(text);
			return (int)n;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

int guard_list_read(struct guard_list *list, const char *path, enum guard_why why,
		    struct strbuf *errors)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 ? -errno : 0;
	char *text = NULL;
	size_t len = 0;

	if (!err) {
		err = read_all(fd, &text, &len);
		close(fd);
	}
	if (err) {
		strbuf_printf(errors, "%s: the list cannot be read: %s\n", path,
			      err == -EINVAL  ? "not a plain file"
			      : err == -EFBIG ? "larger than 64MiB"
					      : strerror(-err));
		return -EINVAL;
	}
	err = guard_list_parse(list, path, slice_of(text, len), why, errors);
	free(text);
	return err;
}
