/* A configuration from a text, and the problems it has, for the tests of the
 * configuration. */
#ifndef TESTS_BASE_GIVEN_CONFIG_H
#define TESTS_BASE_GIVEN_CONFIG_H

#include "gateway/config.h"

extern struct config *config; /* the one read last, NULL if it was refused */
extern char *problems;        /* its problems, NULL if it has none */

/* cmocka's: no region in the environment, a runtime folder; all freed. */
int given_setup(void **state);
int given_teardown(void **state);

/* Reads "t.jsonc" from memory into `config` and `problems`. */
enum vr_status given_config(const char *text);

/* The same; fails the test unless it is valid. */
void expect_valid(const char *text);

/* Fails the test unless the text has this one problem, "LINE: PATH: ...". */
void expect_problem(const char *text, const char *problem);

/* Reads the text, then shows it, with each of cJSON's allocations failing in
 * turn. */
void expect_no_crash_without_memory(const char *text);

#endif
