/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_SIGN_H
#define SLUICE_TLS_SIGN_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>

/* Signatures for what clients carry for us. HMAC-SHA-256, cut to 128 bits, in hexadecimal. */
#define TLS_SIGNATURE_LEN 32

#define TLS_SIGNING_KEY_LEN 32

/* Return: 0; -EIO: there are no random bytes to be had. */
int tls_signing_key_make(unsigned char ret[TLS_SIGNING_KEY_LEN]) WARN_UNUSED;

/* Without a NUL. Return: 0; -ENOMEM. Thread: any. */
int tls_sign(struct slice key, struct slice text, char ret[TLS_SIGNATURE_LEN]) WARN_UNUSED;

/* Whether @signature is that of @text; takes as long whatever is wrong with it. */
bool tls_signature_holds(struct slice key, struct slice text, struct slice signature);

#endif
