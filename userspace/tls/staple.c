// SPDX-License-Identifier: Apache-2.0
/* OCSP responses that are stapled from a file. A wrong one would make clients refuse what works
 * without it; so that is a warning. Source: RFC 6066 section 8. */
#include "tls/ocsp.h"
#include "tls/tls_internal.h"

#include <stdlib.h>
#include <string.h>

void tls_staple_load(struct tls_loader *loader, const struct config_file *file,
		     struct tls_certificate *certificate)
{
	BIO *bio = tls_read_file(loader, file);
	const char *problem;
	char *bytes = NULL;
	size_t len;

	if (!bio)
		return;
	len = (size_t)BIO_get_mem_data(bio, &bytes);
	problem = ocsp_judge(slice_of(bytes, len), certificate->leaf, certificate->chain,
			     &certificate->staple_until_s);
	if (problem)
		tls_warn(loader, file, "\"%s\" is not stapled: %s", file->path, problem);
	else
		certificate->staple = malloc(len);
	if (certificate->staple) {
		memcpy(certificate->staple, bytes, len);
		certificate->nstaple = len;
	}
	BIO_free(bio);
}
