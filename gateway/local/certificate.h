/* The endpoint's certificate: a CA of its own, and one leaf for localhost,
 * 127.0.0.1 and ::1. The CA's key is forgotten as soon as the leaf is signed,
 * so trusting this CA trusts nothing else. */
#ifndef GATEWAY_LOCAL_CERTIFICATE_H
#define GATEWAY_LOCAL_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#define CERTIFICATE_PATH_BYTES 1100

struct certificate {
    char ca_file[CERTIFICATE_PATH_BYTES];   /* PEM, for clients to trust */
    char leaf_file[CERTIFICATE_PATH_BYTES]; /* PEM */
    char key_file[CERTIFICATE_PATH_BYTES];  /* PEM, mode 0600 */
};

/* Uses what is in `folder` if it is whole and stays valid for a week, and
 * makes it anew otherwise. Several programs may do so at once. False with the
 * reason in `problem`. [any] */
bool certificate_prepare(struct certificate *certificate, const char *folder,
                         char *problem, size_t problem_size);

#endif
