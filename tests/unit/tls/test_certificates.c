// SPDX-License-Identifier: Apache-2.0
#include "tls/tls_internal.h"
#include "unit/tls/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/ocsp.h>

static struct pki pki;

struct loading {
	struct config_certificate files[8];
	struct config_tls config;
	struct tls_certificates certificates;
	struct strbuf errors;
	struct tls_loader loader;
};

static void add(struct loading *loading, const char *name)
{
	loading->files[loading->config.ncertificates++] = pki_certificate(&pki, name);
}

static int load(struct loading *loading)
{
	loading->config.certificates = loading->files;
	loading->loader = (struct tls_loader){.path = "t.yaml", .errors = &loading->errors};
	return tls_certificates_load(&loading->loader, &loading->config, &loading->certificates);
}

static void unload(struct loading *loading)
{
	tls_certificates_done(&loading->certificates);
	strbuf_done(&loading->errors);
	for (size_t i = 0; i < loading->config.ncertificates; i++)
		pki_certificate_done(&loading->files[i]);
}

/* The file of the certificate of that kind that a client who asks for @name would see. */
static const char *shown(const struct loading *loading, const char *name, enum tls_key_kind kind)
{
	const struct tls_choice *choice = tls_certificates_choose(&loading->certificates, name);
	const char *file;

	if (!choice->by_kind[kind])
		return "none";
	file = strrchr(choice->by_kind[kind]->config->cert.path, '/') + 1;
	return file;
}

static void exact_goes_before_wildcard_before_the_first(void **state)
{
	struct loading l = {};

	(void)state;
	add(&l, "first");
	add(&l, "wild");
	add(&l, "exact");
	assert_int_equal(load(&l), 0);
	assert_string_equal(shown(&l, "www.shop.test", TLS_KEY_EC), "exact.pem");
	assert_string_equal(shown(&l, "WWW.Shop.Test", TLS_KEY_EC), "exact.pem");
	assert_string_equal(shown(&l, "www.shop.test.", TLS_KEY_EC), "exact.pem");
	assert_string_equal(shown(&l, "api.shop.test", TLS_KEY_EC), "wild.pem");
	assert_string_equal(shown(&l, "x.wide.test", TLS_KEY_EC), "wild.pem");
	/* A wildcard stands for one label, not for none and not for two. */
	assert_string_equal(shown(&l, "shop.test", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, "a.b.shop.test", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, "elsewhere.example", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, NULL, TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, "", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, ".", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, ".shop.test", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, "*.shop.test", TLS_KEY_EC), "wild.pem");
	unload(&l);
}

static void names_longer_than_any_get_the_first(void **state)
{
	struct loading l = {};
	char name[600];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	add(&l, "first");
	assert_int_equal(load(&l), 0);
	assert_string_equal(shown(&l, name, TLS_KEY_EC), "first.pem");
	unload(&l);
}

static void kinds_of_keys_stand_side_by_side(void **state)
{
	struct loading l = {};

	(void)state;
	add(&l, "first");
	add(&l, "first_rsa");
	add(&l, "exact");
	add(&l, "twin");
	assert_int_equal(load(&l), 0);
	assert_string_equal(shown(&l, "first.test", TLS_KEY_EC), "first.pem");
	assert_string_equal(shown(&l, "first.test", TLS_KEY_RSA), "first_rsa.pem");
	assert_string_equal(shown(&l, NULL, TLS_KEY_RSA), "first_rsa.pem");
	assert_string_equal(shown(&l, "www.shop.test", TLS_KEY_RSA), "none");
	/* Of one kind the first in the file counts. */
	assert_string_equal(shown(&l, "www.shop.test", TLS_KEY_EC), "exact.pem");
	assert_string_equal(shown(&l, "twin.test", TLS_KEY_EC), "twin.pem");
	unload(&l);
}

static void common_name_counts_without_alternatives(void **state)
{
	struct loading l = {};

	(void)state;
	add(&l, "first");
	add(&l, "common.test");
	assert_int_equal(load(&l), 0);
	assert_string_equal(shown(&l, "common.test", TLS_KEY_EC), "common.test.pem");
	/* "first" is only the common name of one that has alternatives. */
	assert_string_equal(shown(&l, "exact", TLS_KEY_EC), "first.pem");
	unload(&l);
}

/* --- Complaints ------------------------------------------------------------------------ */

static void replace(struct config_file *file, const char *name)
{
	pki_file_done(file);
	*file = pki_file(&pki, name);
}

static void complains(struct loading *l, const char *text)
{
	assert_int_equal(load(l), -EINVAL);
	assert_int_equal(strncmp(l->errors.text, "t.yaml:3:7: ", 12), 0);
	if (!strstr(l->errors.text, text))
		fail_msg("\"%s\" does not say \"%s\"", l->errors.text, text);
	unload(l);
}

static void each_mistake_says_where_it_is(void **state)
{
	struct loading missing = {}, text = {}, keyless = {}, other = {}, locked = {};

	(void)state;
	add(&missing, "first");
	replace(&missing.files[0].cert, "absent.pem");
	complains(&missing, "No such file or directory");
	add(&text, "first");
	replace(&text.files[0].cert, "text.pem");
	complains(&text, "expected a PEM file with a certificate");
	add(&keyless, "first");
	pki_file_done(&keyless.files[0].key);
	complains(&keyless, "expected a PEM file with a private key");
	add(&other, "first");
	replace(&other.files[0].key, "exact.key");
	complains(&other, "is not the key of the certificate beside it");
	add(&locked, "first");
	replace(&locked.files[0].key, "locked.key");
	complains(&locked, "no passphrase");
}

/* ca.pem and then what says that it is a certificate. */
static void make_cut_file(void)
{
	FILE *from = fopen(pki_path(&pki, "ca.pem"), "re"), *to = pki_open(&pki, "cut.pem");
	char text[4096];
	size_t len;

	assert_non_null(from);
	len = fread(text, 1, sizeof(text), from);
	fclose(from);
	fwrite(text, 1, len, to);
	fwrite(text, 1, len / 2, to);
	fclose(to);
}

/* Those in front of it would do for some clients, and others would wonder. */
static void a_file_of_authorities_counts_whole_or_not_at_all(void **state)
{
	struct config_file whole = pki_file(&pki, "ca.pem"), cut = pki_file(&pki, "cut.pem");
	struct strbuf errors = {};
	struct tls_loader loader = {.path = "t.yaml", .errors = &errors};
	X509_STORE *store = X509_STORE_new();
	struct loading chain = {};

	(void)state;
	make_cut_file();
	assert_int_equal(tls_load_authorities(&loader, &whole, store), 1);
	assert_int_equal(errors.len, 0);
	assert_int_equal(tls_load_authorities(&loader, &cut, store), 0);
	assert_non_null(strstr(errors.text, "cut.pem\": bad end line"));
	X509_STORE_free(store);
	strbuf_done(&errors);
	pki_file_done(&whole);
	pki_file_done(&cut);
	add(&chain, "first");
	replace(&chain.files[0].cert, "cut.pem");
	complains(&chain, "bad end line");
}

static void every_mistake_is_told_at_once(void **state)
{
	struct loading l = {};

	(void)state;
	add(&l, "first");
	add(&l, "exact");
	replace(&l.files[0].cert, "absent.pem");
	replace(&l.files[1].cert, "text.pem");
	assert_int_equal(load(&l), -EINVAL);
	assert_non_null(strstr(l.errors.text, "absent.pem"));
	assert_non_null(strstr(l.errors.text, "text.pem"));
	unload(&l);
}

static void warns(const char *name, const char *text)
{
	struct loading l = {};

	add(&l, name);
	assert_int_equal(load(&l), 0);
	assert_non_null(l.errors.text);
	assert_non_null(strstr(l.errors.text, "warning: "));
	assert_non_null(strstr(l.errors.text, text));
	unload(&l);
}

static void open_keys_and_old_certificates_are_warned_of(void **state)
{
	(void)state;
	warns("open", "can be read by everybody");
	warns("expired", "has expired");
	warns("soon", "expires within two weeks");
}

/* --- Staples ---------------------------------------------------------------------------- */

static X509 *read_leaf(const char *name)
{
	char file[64];
	FILE *stream;
	X509 *leaf;

	snprintf(file, sizeof(file), "%s.pem", name);
	stream = fopen(pki_path(&pki, file), "re");
	leaf = PEM_read_X509(stream, NULL, NULL, NULL);
	fclose(stream);
	return leaf;
}

static EVP_PKEY *read_key(const char *name)
{
	char file[64];
	FILE *stream;
	EVP_PKEY *key;

	snprintf(file, sizeof(file), "%s.key", name);
	stream = fopen(pki_path(&pki, file), "re");
	key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
	fclose(stream);
	return key;
}

/* The issuer lets it answer in its place (RFC 6960 section 4.2.2.2). */
static void issue_charged(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = pki_issue_for(&pki, key, name, NULL, 30);
	char file[64];
	FILE *stream;

	pki_extend(cert, pki.cert, NID_ext_key_usage, "OCSPSigning");
	pki_must(X509_sign(cert, pki.key, EVP_sha256()));
	snprintf(file, sizeof(file), "%s.pem", name);
	stream = pki_open(&pki, file);
	PEM_write_X509(stream, cert);
	fclose(stream);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* @signer: NULL: the issuer; or the name of a certificate that it has issued. */
static void sign_staple(OCSP_BASICRESP *basic, const char *signer)
{
	X509 *cert = signer ? read_leaf(signer) : NULL;
	EVP_PKEY *key = signer ? read_key(signer) : NULL;

	assert_int_equal(OCSP_basic_sign(basic, cert ? cert : pki.cert, key ? key : pki.key,
					 EVP_sha256(), NULL, 0),
			 1);
	EVP_PKEY_free(key);
	X509_free(cert);
}

/* An answer about @name, good for @seconds from now. */
static void write_staple_of(const char *signer, const char *name, int status, long seconds)
{
	X509 *leaf = read_leaf(name);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, pki.cert);
	ASN1_TIME *from = X509_gmtime_adj(NULL, -7200), *until = X509_gmtime_adj(NULL, seconds);
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	FILE *stream = pki_open(&pki, "staple.der");
	int len;

	OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_NOSTATUS, from, from, until);
	sign_staple(basic, signer);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	assert_int_equal(fwrite(der, 1, (size_t)len, stream), len);
	fclose(stream);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	X509_free(leaf);
}

static void write_staple(const char *name, int status, long seconds)
{
	write_staple_of(NULL, name, status, seconds);
}

static void staples(bool is_expected, const char *text)
{
	struct loading l = {};

	add(&l, "first");
	l.files[0].ocsp = pki_file(&pki, "staple.der");
	assert_int_equal(load(&l), 0);
	assert_int_equal(l.certificates.all[0].staple != NULL, is_expected);
	if (text)
		assert_non_null(strstr(l.errors.text, text));
	else
		assert_null(l.errors.text);
	unload(&l);
}

static void only_good_answers_about_the_certificate_are_stapled(void **state)
{
	(void)state;
	write_staple("first", V_OCSP_CERTSTATUS_GOOD, 3600);
	staples(true, NULL);
	write_staple("exact", V_OCSP_CERTSTATUS_GOOD, 3600);
	staples(false, "about another certificate");
	write_staple("first", V_OCSP_CERTSTATUS_REVOKED, 3600);
	staples(false, "does not say that the certificate is good");
	write_staple("first", V_OCSP_CERTSTATUS_GOOD, -3600);
	staples(false, "out of date");
	write_staple_of("exact", "first", V_OCSP_CERTSTATUS_GOOD, 3600);
	staples(false, "is not signed by the certificate's issuer");
	write_staple_of("charged", "first", V_OCSP_CERTSTATUS_GOOD, 3600);
	staples(true, NULL);
	pki_write(&pki, "staple.der", "not DER");
	staples(false, "no OCSP response");
}

/* --- Files ------------------------------------------------------------------------------- */

static void relative_paths_begin_at_the_configuration(void **state)
{
	const struct tls_loader beside = {.path = "/etc/sluice/sluice.yaml"};
	const struct tls_loader here = {.path = "sluice.yaml"};
	char *path;

	(void)state;
	path = tls_resolve_path(&beside, "a.pem");
	assert_string_equal(path, "/etc/sluice/a.pem");
	free(path);
	path = tls_resolve_path(&beside, "/tmp/a.pem");
	assert_string_equal(path, "/tmp/a.pem");
	free(path);
	path = tls_resolve_path(&here, "a.pem");
	assert_string_equal(path, "a.pem");
	free(path);
}

static void write_locked_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *stream = pki_open(&pki, "locked.key");

	PEM_write_PKCS8PrivateKey(stream, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	fclose(stream);
	EVP_PKEY_free(key);
}

static void issue_for_days(const char *name, long days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	X509_free(pki_issue_for(&pki, key, name, "DNS:old.test", days));
	EVP_PKEY_free(key);
}

static int group_setup(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "first", "DNS:first.test");
	pki_issue_rsa(&pki, "first_rsa", "DNS:first.test");
	pki_issue(&pki, "wild", "DNS:*.shop.test,DNS:*.wide.test,IP:192.0.2.1");
	pki_issue(&pki, "exact", "DNS:www.shop.test");
	pki_issue(&pki, "twin", "DNS:www.shop.test,DNS:twin.test");
	pki_issue(&pki, "common.test", NULL);
	pki_issue(&pki, "open", "DNS:open.test");
	chmod(pki_path(&pki, "open.key"), 0644);
	issue_for_days("soon", 5);
	issue_for_days("expired", -1);
	issue_charged("charged");
	pki_write(&pki, "text.pem", "hello\n");
	write_locked_key();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_goes_before_wildcard_before_the_first),
		cmocka_unit_test(names_longer_than_any_get_the_first),
		cmocka_unit_test(kinds_of_keys_stand_side_by_side),
		cmocka_unit_test(common_name_counts_without_alternatives),
		cmocka_unit_test(each_mistake_says_where_it_is),
		cmocka_unit_test(a_file_of_authorities_counts_whole_or_not_at_all),
		cmocka_unit_test(every_mistake_is_told_at_once),
		cmocka_unit_test(open_keys_and_old_certificates_are_warned_of),
		cmocka_unit_test(only_good_answers_about_the_certificate_are_stapled),
		cmocka_unit_test(relative_paths_begin_at_the_configuration),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
