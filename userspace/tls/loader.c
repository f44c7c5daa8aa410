// SPDX-License-Identifier: Apache-2.0
/* Reads the files that a configuration names, and says where it named the one that is wrong. */
#include "tls/tls_internal.h"

#include "core/path.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Certificates of all authorities of the world fit several times. */
#define FILE_SIZE_MAX (16 << 20)

static void complain(struct tls_loader *loader, const struct config_file *at, const char *kind,
		     const char *fmt, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	strbuf_printf(loader->errors, "%s:%u:%u: %s%s\n", loader->path, at->line, at->column, kind,
		      text);
}

void tls_complain(struct tls_loader *loader, const struct config_file *at, const char *fmt, ...)
{
	va_list args;

	loader->has_failed = true;
	va_start(args, fmt);
	complain(loader, at, "", fmt, args);
	va_end(args);
}

void tls_warn(struct tls_loader *loader, const struct config_file *at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(loader, at, "warning: ", fmt, args);
	va_end(args);
}

const char *tls_error_text(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "it cannot be read";
}

char *tls_resolve_path(const struct tls_loader *loader, const char *path)
{
	return path_beside(loader->path, path);
}

/* Return: 0; -errno. */
static int read_into(FILE *stream, BIO *bio)
{
	char chunk[4096];
	size_t len, total = 0;

	while ((len = fread(chunk, 1, sizeof(chunk), stream)) > 0) {
		total += len;
		if (total > FILE_SIZE_MAX)
			return -EFBIG;
		if (BIO_write(bio, chunk, (int)len) != (int)len)
			return -ENOMEM;
	}
	OPENSSL_cleanse(chunk, sizeof(chunk));
	return ferror(stream) ? -EIO : 0;
}

/* Return: 0; -errno. */
static int read_path(const char *path, BIO *bio)
{
	FILE *stream = fopen(path, "re");
	int err;

	if (!stream)
		return -errno;
	/* No copy of a key shall be left in a buffer. */
	setvbuf(stream, NULL, _IONBF, 0);
	err = read_into(stream, bio);
	fclose(stream);
	return err;
}

BIO *tls_read_file(struct tls_loader *loader, const struct config_file *file)
{
	char *path = tls_resolve_path(loader, file->path);
	BIO *bio = BIO_new(BIO_s_secmem());
	int err = path && bio ? read_path(path, bio) : -ENOMEM;

	free(path);
	if (!err)
		return bio;
	tls_complain(loader, file, "cannot read \"%s\": %s", file->path, strerror(-err));
	BIO_free(bio);
	return NULL;
}

void tls_check_secrecy(struct tls_loader *loader, const struct config_file *file)
{
	char *path = tls_resolve_path(loader, file->path);
	struct stat status;

	if (path && stat(path, &status) == 0 && status.st_mode & S_IROTH)
		tls_warn(loader, file,
			 "\"%s\" holds a private key and can be read by everybody; expected mode "
			 "0600 or 0640",
			 file->path);
	free(path);
}

bool tls_is_pem_read(struct tls_loader *loader, const struct config_file *file)
{
	unsigned long error = ERR_peek_last_error();

	if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return true;
	}
	tls_complain(loader, file, "\"%s\": %s", file->path, tls_error_text());
	return false;
}

/*
 * Without memory OpenSSL leaves out a key where it reads the certificate, and takes extensions for
 * invalid where it first wants them; either way such a certificate is of no use ever after.
 */
static bool add_authority(X509_STORE *store, X509 *authority)
{
	return X509_get0_pubkey(authority) && X509_check_purpose(authority, -1, 0) == 1 &&
	       X509_STORE_add_cert(store, authority);
}

size_t tls_load_authorities(struct tls_loader *loader, const struct config_file *file,
			    X509_STORE *store)
{
	BIO *bio = tls_read_file(loader, file);
	bool is_added = true;
	size_t count = 0;
	X509 *authority;

	if (!bio)
		return 0;
	while (is_added && (authority = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		is_added = add_authority(store, authority);
		X509_free(authority);
		count += is_added;
	}
	BIO_free(bio);
	if (!tls_is_pem_read(loader, file))
		return 0;
	if (count == 0)
		tls_complain(loader, file, "\"%s\" has no certificate; expected a PEM file",
			     file->path);
	return count;
}
