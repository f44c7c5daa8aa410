// SPDX-License-Identifier: Apache-2.0
/* Giving up root, in a child for each test: it is for good. */
#include "core/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define KEPT (UINT64_C(1) << CAP_NET_BIND_SERVICE)

/* _exit(): the parent's leak checker has the last word, not each child's. */
static void expect_true_in_child(bool (*check)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(check() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool drop_to_nobody(void)
{
	struct privileges nobody;

	return privileges_lookup("nobody", NULL, &nobody) == 0 &&
	       privileges_drop(&nobody, KEPT) == 0;
}

static bool becomes_nobody_for_good(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	uid_t real, effective, saved;

	return nobody && drop_to_nobody() && getresuid(&real, &effective, &saved) == 0 &&
	       real == nobody->pw_uid && effective == real && saved == real &&
	       getegid() == nobody->pw_gid && getgroups(0, NULL) == 0 && setuid(0) < 0;
}

static bool keeps_what_was_named_alone(void)
{
	return drop_to_nobody() && privileges_has(CAP_NET_BIND_SERVICE) &&
	       !privileges_has(CAP_NET_ADMIN) && !privileges_has(CAP_SETUID);
}

static bool can_gain_nothing_later(void)
{
	return drop_to_nobody() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool cannot_change_without_root(void)
{
	struct privileges root = {.has_user = true, .has_group = true};

	return drop_to_nobody() && privileges_drop(&root, 0) == -EPERM;
}

static void in_child(bool (*check)(void))
{
	if (geteuid() != 0)
		skip();
	expect_true_in_child(check);
}

static void root_becomes_the_user_for_good(void **state)
{
	(void)state;
	in_child(becomes_nobody_for_good);
}

static void named_capabilities_stay_and_no_others(void **state)
{
	(void)state;
	in_child(keeps_what_was_named_alone);
}

static void no_program_gains_privileges_afterwards(void **state)
{
	(void)state;
	in_child(can_gain_nothing_later);
}

static void change_without_root_is_refused(void **state)
{
	(void)state;
	in_child(cannot_change_without_root);
}

static void unknown_names_are_not_found(void **state)
{
	struct privileges privileges;

	(void)state;
	assert_int_equal(privileges_lookup("no-such-user", NULL, &privileges), -ENOENT);
	assert_int_equal(privileges_lookup(NULL, "no-such-group", &privileges), -ENOENT);
}

static void group_by_name_goes_before_the_users_own(void **state)
{
	const struct group *group = getgrgid(0);
	struct privileges privileges;

	(void)state;
	assert_non_null(group);
	assert_int_equal(privileges_lookup("nobody", group->gr_name, &privileges), 0);
	assert_int_equal(privileges.gid, 0);
	assert_true(privileges.has_user && privileges.has_group);
	assert_int_equal(privileges_lookup(NULL, NULL, &privileges), 0);
	assert_false(privileges.has_user || privileges.has_group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_becomes_the_user_for_good),
		cmocka_unit_test(named_capabilities_stay_and_no_others),
		cmocka_unit_test(no_program_gains_privileges_afterwards),
		cmocka_unit_test(change_without_root_is_refused),
		cmocka_unit_test(unknown_names_are_not_found),
		cmocka_unit_test(group_by_name_goes_before_the_users_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
