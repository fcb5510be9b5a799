#include "gateway/local/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DAYS 3650
#define LEAF_DAYS 397 /* the most that strict clients take */
#define SPARE_DAYS 7
#define DAY_S (24L * 60 * 60)

/* ---- looking at what is there ---- */

static X509 *
read_certificate(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    return certificate;
}

static EVP_PKEY *
read_key(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return key;
}

static bool
lasts(const X509 *certificate)
{
    time_t later = time(NULL) + SPARE_DAYS * DAY_S;
    return X509_cmp_time(X509_get0_notAfter(certificate), &later) > 0 &&
           X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
}

static bool
private_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_uid == geteuid() &&
           (info.st_mode & 077) == 0;
}

static bool
usable(const struct certificate *files)
{
    X509 *ca = read_certificate(files->ca_file);
    X509 *leaf = read_certificate(files->leaf_file);
    EVP_PKEY *key = read_key(files->key_file);
    bool good = ca != NULL && leaf != NULL && key != NULL && lasts(ca) &&
                lasts(leaf) && private_file(files->key_file) &&
                X509_check_private_key(leaf, key) == 1 &&
                X509_verify(leaf, X509_get0_pubkey(ca)) == 1 &&
                X509_check_host(leaf, "localhost", 0, 0, NULL) == 1 &&
                X509_check_ip_asc(leaf, "127.0.0.1", 0) == 1 &&
                X509_check_ip_asc(leaf, "::1", 0) == 1;
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

/* ---- making it ---- */

static bool
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added =
        extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool
set_serial(X509 *certificate)
{
    uint64_t serial;
    return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate),
                                   serial >> 1) == 1;
}

static X509 *
certificate_new(const char *name, EVP_PKEY *key, long days)
{
    X509 *certificate = X509_new();
    if (certificate == NULL)
        return NULL;
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (X509_set_version(certificate, X509_VERSION_3) == 1 &&
        set_serial(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), days * DAY_S) !=
            NULL &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1, 0) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

static X509 *
make_ca(EVP_PKEY *key)
{
    char name[80];
    uint32_t number = 0;
    /* CAs of several runs must not share a name: clients look issuers up by
     * it. */
    RAND_bytes((unsigned char *)&number, sizeof(number));
    snprintf(name, sizeof(name), "voxring-local test CA %08x", number);
    X509 *ca = certificate_new(name, key, CA_DAYS);
    if (ca != NULL && X509_set_issuer_name(ca, X509_get_subject_name(ca)) &&
        add_extension(ca, ca, NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:0") &&
        add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
        X509_sign(ca, key, EVP_sha256()) > 0)
        return ca;
    X509_free(ca);
    return NULL;
}

static X509 *
make_leaf(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key)
{
    X509 *leaf = certificate_new("localhost", key, LEAF_DAYS);
    if (leaf != NULL && X509_set_issuer_name(leaf, X509_get_subject_name(ca)) &&
        add_extension(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
        add_extension(leaf, ca, NID_ext_key_usage, "serverAuth") &&
        add_extension(leaf, ca, NID_subject_alt_name,
                      "DNS:localhost,IP:127.0.0.1,IP:::1") &&
        add_extension(leaf, ca, NID_subject_key_identifier, "hash") &&
        add_extension(leaf, ca, NID_authority_key_identifier, "keyid") &&
        X509_sign(leaf, ca_key, EVP_sha256()) > 0)
        return leaf;
    X509_free(leaf);
    return NULL;
}

/* ---- writing it ---- */

/* Writes beside the file and renames, so that no reader sees half of it. */
static bool
write_pem(const char *path, X509 *certificate, EVP_PKEY *key)
{
    char beside[CERTIFICATE_PATH_BYTES + 8];
    snprintf(beside, sizeof(beside), "%s.new", path);
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  key != NULL ? 0600 : 0644);
    if (fd < 0)
        return false;
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return false;
    }
    int written =
        key != NULL ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_X509(file, certificate);
    bool closed = fclose(file) == 0;
    return written == 1 && closed && rename(beside, path) == 0;
}

static bool
make_all(const struct certificate *files)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key && key ? make_ca(ca_key) : NULL;
    X509 *leaf = ca ? make_leaf(ca, ca_key, key) : NULL;
    bool made = leaf != NULL && write_pem(files->key_file, NULL, key) &&
                write_pem(files->leaf_file, leaf, NULL) &&
                write_pem(files->ca_file, ca, NULL);
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return made;
}

static void
set_paths(struct certificate *files, const char *folder)
{
    snprintf(files->ca_file, sizeof(files->ca_file), "%s/ca.pem", folder);
    snprintf(files->leaf_file, sizeof(files->leaf_file), "%s/leaf.pem", folder);
    snprintf(files->key_file, sizeof(files->key_file), "%s/leaf.key", folder);
}

bool
certificate_prepare(struct certificate *certificate, const char *folder,
                    char *problem, size_t problem_size)
{
    char lock_path[CERTIFICATE_PATH_BYTES];
    set_paths(certificate, folder);
    snprintf(lock_path, sizeof(lock_path), "%s/lock", folder);
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        snprintf(problem, problem_size, "cannot lock %s: %s", lock_path,
                 strerror(errno));
        if (lock >= 0)
            close(lock);
        return false;
    }
    bool ready = usable(certificate) || make_all(certificate);
    if (!ready) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;
        snprintf(problem, problem_size, "cannot make a certificate in %s: %s",
                 folder, reason ? reason : strerror(errno));
    }
    close(lock);
    return ready;
}
