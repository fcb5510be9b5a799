#include "gateway/toolbroker/plugin_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

/* This program's own header tells what this machine is. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* ---- what is there -------------------------------------------------------- */

static void
take_stat(struct plugin_file *file, const struct stat *st)
{
    file->dev = (uint64_t)st->st_dev;
    file->ino = (uint64_t)st->st_ino;
    file->size_bytes = (uint64_t)st->st_size;
    file->mtime_ns =
        (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
    file->mode = (uint32_t)st->st_mode;
}

static enum vr_status
say_missing(const char *path, int error, char *why, size_t why_size)
{
    struct stat link;

    if (error == ENOENT && lstat(path, &link) == 0)
        snprintf(why, why_size,
                 "%.300s is a link to a file that is not there; correct or "
                 "remove it",
                 path);
    else
        snprintf(why, why_size, "%.300s cannot be read: %s", path,
                 strerror(error));
    return VR_NOT_FOUND;
}

enum vr_status
plugin_file_look(const char *path, struct plugin_file *file, char *why,
                 size_t why_size)
{
    struct stat st;

    memset(file, 0, sizeof *file);
    if (stat(path, &st) != 0)
        return say_missing(path, errno, why, why_size);
    take_stat(file, &st);
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "%.300s is not a file; remove it", path);
        return VR_INVALID;
    }
    if (st.st_mode & S_IWOTH) {
        snprintf(why, why_size,
                 "%.300s can be written by everybody; run: chmod o-w %.300s",
                 path, path);
        return VR_DENIED;
    }
    return VR_OK;
}

bool
plugin_file_same(const struct plugin_file *a, const struct plugin_file *b)
{
    return a->dev == b->dev && a->ino == b->ino &&
           a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns;
}

/* ---- its content ----------------------------------------------------------- */

/* An open file under check. */
struct content {
    int fd;
    uint64_t bytes;
    const char *path;
    char *why;
    size_t why_size;
};

static enum vr_status
lacks(const struct content *c, const char *what)
{
    snprintf(c->why, c->why_size,
             "%.300s cannot be loaded: it is not whole, %s missing from its "
             "%llu bytes; copy it again, best under another name and then mv",
             c->path, what, (unsigned long long)c->bytes);
    return VR_AGAIN;
}

static enum vr_status
is_unfit(const struct content *c, const char *what)
{
    snprintf(c->why, c->why_size, "%.300s cannot be loaded: %s", c->path, what);
    return VR_INVALID;
}

static bool
has(const struct content *c, uint64_t offset, uint64_t count)
{
    return offset <= c->bytes && count <= c->bytes - offset;
}

static bool
get(const struct content *c, uint64_t offset, void *to, size_t count)
{
    return has(c, offset, count) &&
           pread(c->fd, to, count, (off_t)offset) == (ssize_t)count;
}

static enum vr_status
check_head(const struct content *c, ElfW(Ehdr) * head)
{
    const unsigned char *here = __ehdr_start.e_ident;
    unsigned char ident[EI_NIDENT];

    if (!get(c, 0, ident, sizeof ident))
        return c->bytes < sizeof ident ? lacks(c, "its beginning is")
                                       : is_unfit(c, "it cannot be read");
    if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        return is_unfit(c, "it is no shared library; make one with "
                           "cc -shared -fPIC");
    if (ident[EI_CLASS] != here[EI_CLASS] || ident[EI_DATA] != here[EI_DATA])
        return is_unfit(c, "it is for another kind of machine; compile it on "
                           "this one");
    if (!get(c, 0, head, sizeof *head))
        return lacks(c, "some of its header is");
    if (head->e_machine != __ehdr_start.e_machine)
        return is_unfit(c, "it is for another kind of machine; compile it on "
                           "this one");
    if (head->e_type != ET_DYN)
        return is_unfit(c, "it is no shared library but another kind of ELF "
                           "file; link it with cc -shared -fPIC");
    return VR_OK;
}

static enum vr_status
check_segments(const struct content *c, const ElfW(Ehdr) * head)
{
    ElfW(Phdr) segment;

    for (size_t i = 0; i < head->e_phnum; i++) {
        if (!get(c, head->e_phoff + i * sizeof segment, &segment,
                 sizeof segment) ||
            !has(c, segment.p_offset, segment.p_filesz))
            return lacks(c, "a segment is");
    }
    return VR_OK;
}

/* The table of sections is what a linker writes last. Where a file is made as
 * large as it will be before it is filled, its end tells, too. */
static enum vr_status
check_sections(const struct content *c, const ElfW(Ehdr) * head)
{
    ElfW(Shdr) names;
    uint64_t count = head->e_shnum;

    if (head->e_shoff == 0)
        return VR_OK;
    if (!has(c, head->e_shoff, count * sizeof names))
        return lacks(c, "its table of sections is");
    if (head->e_shstrndx == SHN_UNDEF || head->e_shstrndx >= count)
        return VR_OK;
    if (!get(c, head->e_shoff + head->e_shstrndx * sizeof names, &names,
             sizeof names) ||
        names.sh_type != SHT_STRTAB || !has(c, names.sh_offset, names.sh_size))
        return lacks(c, "some of its sections is");
    return VR_OK;
}

enum vr_status
plugin_file_check(const char *path, char *why, size_t why_size)
{
    struct content c = {-1, 0, path, why, why_size};
    ElfW(Ehdr) head;
    struct stat st;
    enum vr_status status;

    c.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (c.fd < 0 || fstat(c.fd, &st) != 0) {
        snprintf(why, why_size, "%.300s cannot be read: %s", path,
                 strerror(errno));
        if (c.fd >= 0)
            close(c.fd);
        return VR_INVALID;
    }
    c.bytes = (uint64_t)st.st_size;
    status = check_head(&c, &head);
    if (status == VR_OK)
        status = check_segments(&c, &head);
    if (status == VR_OK)
        status = check_sections(&c, &head);
    close(c.fd);
    return status;
}
