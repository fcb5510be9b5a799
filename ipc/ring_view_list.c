/* The names of the rings of a machine. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/ring_view.h"
#include "ipc/ring_why.h"

#define PREFIX "voxring-"

/* Copies what is before the next dot. */
static const char *
take_part(char *to, size_t to_bytes, const char *text)
{
    size_t length = strcspn(text, ".");

    if (text[length] != '.' || length >= to_bytes)
        return NULL;
    memcpy(to, text, length);
    to[length] = '\0';
    return text + length + 1;
}

bool
ring_view_parse(struct ring_view_name *name, const char *text)
{
    char checked[RING_INSTANCE_BYTES];

    if (*text == '/')
        text++;
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return false;
    text =
        take_part(name->instance, sizeof name->instance, text + strlen(PREFIX));
    if (text == NULL ||
        ring_name_instance(checked, name->instance, NULL, NULL, 0) != VR_OK)
        return false;
    text = take_part(name->session, sizeof name->session, text);
    if (text == NULL || ring_name_check(name->session, NULL, 0) != VR_OK)
        return false;
    if (strcmp(text, "in") != 0 && strcmp(text, "out") != 0)
        return false;
    name->ring = *text == 'i' ? VR_RING_IN : VR_RING_OUT;
    ring_name_object(name->object, name->instance, name->session, name->ring);
    return true;
}

static int
compare(const void *a, const void *b)
{
    const struct ring_view_name *x = a, *y = b;
    int by = strcmp(x->instance, y->instance);

    if (by == 0)
        by = strcmp(x->session, y->session);
    return by != 0 ? by : (int)y->ring - (int)x->ring;
}

/* False: no memory. */
static bool
append(struct ring_view_list *list, const struct ring_view_name *name)
{
    size_t count = list->count;
    struct ring_view_name *grown;

    if (count == RING_VIEW_LIST_MAX) {
        list->left_off++;
        return true;
    }
    if ((count & (count - 1)) == 0) {
        grown = realloc(list->names, (count ? 2 * count : 1) * sizeof *grown);
        if (grown == NULL)
            return false;
        list->names = grown;
    }
    list->names[list->count++] = *name;
    return true;
}

enum vr_status
ring_view_list_read(struct ring_view_list *list, char *why, size_t why_bytes)
{
    DIR *folder = opendir(RING_SHM_DIR);
    struct ring_view_name name;
    struct dirent *entry;
    bool fits = true;

    memset(list, 0, sizeof *list);
    if (folder == NULL)
        return ring_why(why, why_bytes, VR_SYSTEM, "Cannot look into %s: %s",
                        RING_SHM_DIR, strerror(errno));
    while (fits && (entry = readdir(folder)) != NULL)
        if (ring_view_parse(&name, entry->d_name))
            fits = append(list, &name);
    closedir(folder);
    if (!fits) {
        ring_view_list_free(list);
        return ring_why(why, why_bytes, VR_NO_MEMORY, "Out of memory");
    }
    if (list->count > 0)
        qsort(list->names, list->count, sizeof *list->names, compare);
    return VR_OK;
}

void
ring_view_list_free(struct ring_view_list *list)
{
    free(list->names);
    memset(list, 0, sizeof *list);
}
