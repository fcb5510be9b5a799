#include "ipc/cli/ring_pick.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/cli/say.h"

static int
check_word(const struct cli *cli, const char *word)
{
    struct ring_view_name name;
    if (ring_view_parse(&name, word) || ring_name_check(word, NULL, 0) == VR_OK)
        return CLI_DONE;
    return say_fail(cli, CLI_USAGE,
                    "\"%.200s\" is neither a session's name nor a ring's, such "
                    "as /voxring-INSTANCE.SESSION.in; voxring ring ls lists "
                    "them",
                    word);
}

int
ring_pick_init(struct ring_pick *pick, struct cli *cli, char *const *words,
               int word_count)
{
    char why[VR_ERROR_BYTES];
    const char *given = getenv("VOXRING_INSTANCE");
    *pick = (struct ring_pick){.words = words, .word_count = word_count};
    for (int i = 0; i < word_count; i++) {
        int code = check_word(cli, words[i]);
        if (code != CLI_DONE)
            return code;
    }
    if (!cli->options.runtime_dir)
        return CLI_DONE;
    enum vr_status status =
        ring_name_instance(pick->instance, given && *given ? given : NULL,
                           cli->runtime_dir, why, sizeof why);
    if (status == VR_NOT_FOUND)
        return say_fail(cli, CLI_ABSENT,
                        "%s; without --runtime-dir it is the rings of all "
                        "gateways, also of dead ones",
                        why);
    if (status != VR_OK)
        return say_fail(cli, say_exit_of(status), "VOXRING_INSTANCE: %s", why);
    return CLI_DONE;
}

static bool
fits_word(const struct ring_view_name *name, const char *word)
{
    struct ring_view_name wanted;
    if (ring_view_parse(&wanted, word))
        return strcmp(wanted.object, name->object) == 0;
    return strcmp(word, name->session) == 0;
}

static bool
is_wanted(const struct ring_pick *pick, const struct ring_view_name *name)
{
    if (*pick->instance && strcmp(pick->instance, name->instance) != 0)
        return false;
    for (int i = 0; i < pick->word_count; i++) {
        if (fits_word(name, pick->words[i]))
            return true;
    }
    return pick->word_count == 0;
}

int
ring_pick_read(const struct ring_pick *pick, const struct cli *cli,
               struct ring_view_list *list)
{
    char why[VR_ERROR_BYTES];
    size_t kept = 0;
    if (ring_view_list_read(list, why, sizeof why) != VR_OK)
        return say_fail(cli, CLI_FAILED, "%s", why);
    if (list->left_off)
        say_note(cli, "there are %zu rings more than the %u that are looked at",
                 list->left_off, RING_VIEW_LIST_MAX);
    for (size_t i = 0; i < list->count; i++) {
        if (is_wanted(pick, &list->names[i]))
            list->names[kept++] = list->names[i];
    }
    list->count = kept;
    return CLI_DONE;
}

int
ring_pick_check(const struct ring_pick *pick, const struct cli *cli,
                const struct ring_view_list *list)
{
    for (int i = 0; i < pick->word_count; i++) {
        bool found = false;
        for (size_t n = 0; n < list->count && !found; n++)
            found = fits_word(&list->names[n], pick->words[i]);
        if (!found)
            return say_fail(cli, CLI_ABSENT,
                            "there is no ring of %s%s%s; voxring ring ls lists "
                            "them",
                            pick->words[i], *pick->instance ? " in " : "",
                            *pick->instance ? cli->runtime_dir : "");
    }
    return CLI_DONE;
}
