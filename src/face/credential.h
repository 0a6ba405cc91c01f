/*
 * credential.h - SecurityCredential: the initiator's password, encrypted with a certificate of ours
 * that integrations use in the place of Safaricom's (RSA 2048, PKCS#1 v1.5, base64).
 *
 * Guarantees: the private key lives in one file (mode 0600) beside the key file, or in memory only;
 * it is made when the certificate is first asked for, never before (until then nobody can have
 * encrypted anything for it, and a start stays quick). Passwords are wiped by whoever asked.
 */
#ifndef HAKIKA_FACE_CREDENTIAL_H
#define HAKIKA_FACE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

enum {
    CREDENTIAL_PASSWORD_MAX = 245, /* what PKCS#1 v1.5 leaves of 256 bytes */
};

struct credential_key;

/* path: where the private key is or will be kept (copied); NULL: in memory only. Returns NULL
 * when there is no memory. */
struct credential_key *credential_open(const char *path);
void credential_close(struct credential_key *k); /* NULL is fine */

/* Our X.509 certificate in PEM; the key is made first when there is none (a tenth of a second).
 * False with a message when it cannot be made or kept. */
bool credential_certificate(struct credential_key *k, struct writer *out, char error[256]);

enum credential_state {
    CREDENTIAL_OPENED = 0, /* made with our certificate; the password is in out */
    CREDENTIAL_OPAQUE,     /* well formed, but made with another certificate */
    CREDENTIAL_MALFORMED,  /* not base64 of 256 bytes */
};

/* Decrypts a SecurityCredential. The caller wipes out. */
enum credential_state credential_decrypt(struct credential_key *k, struct span credential,
                                         char out[CREDENTIAL_PASSWORD_MAX + 1], size_t *size_out);

#endif
