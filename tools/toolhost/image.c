#include "tools/toolhost/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A copy costs as much memory as the file is large. */
#define COPY_MAX_BYTES (256u * 1024 * 1024)
#define HERE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* This program's own header tells what this machine is. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct bytes {
    const unsigned char *at;
    size_t count;
};

static const char *
machine_name(unsigned machine, char *other, size_t other_size)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86_64"}, {EM_AARCH64, "aarch64"}, {EM_386, "i386"},
        {EM_ARM, "arm"},       {EM_RISCV, "riscv"},     {EM_PPC64, "ppc64"},
        {EM_S390, "s390"},     {EM_MIPS, "mips"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].machine == machine)
            return names[i].name;
    }
    snprintf(other, other_size, "machine number %u", machine);
    return other;
}

static enum vr_status
say_not_whole(const struct bytes *file, const char *what, char *why,
              size_t why_size)
{
    snprintf(why, why_size,
             "it is not whole: %s beyond its %zu bytes; copy it again, best "
             "under another name and then mv",
             what, file->count);
    return VR_INVALID;
}

static bool
has(const struct bytes *file, uint64_t offset, uint64_t count)
{
    return offset <= file->count && count <= file->count - offset;
}

static enum vr_status
check_kind(const struct bytes *file, ElfW(Ehdr) * header, char *why,
           size_t why_size)
{
    char other[40], here[40];

    if (file->count < SELFMAG || memcmp(file->at, ELFMAG, SELFMAG) != 0) {
        snprintf(why, why_size,
                 "it is no shared library; make one with cc -shared -fPIC");
        return VR_INVALID;
    }
    if (file->count < sizeof *header)
        return say_not_whole(file, "its header ends", why, why_size);
    memcpy(header, file->at, sizeof *header);
    if (header->e_ident[EI_CLASS] != HERE_CLASS ||
        header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
        header->e_machine != __ehdr_start.e_machine) {
        snprintf(
            why, why_size,
            "it is for %s, this machine is %s; compile it for this machine",
            machine_name(header->e_machine, other, sizeof other),
            machine_name(__ehdr_start.e_machine, here, sizeof here));
        return VR_INVALID;
    }
    if (header->e_type != ET_DYN) {
        snprintf(why, why_size,
                 "it is no shared library but another kind of ELF file; link "
                 "it with cc -shared -fPIC");
        return VR_INVALID;
    }
    return VR_OK;
}

static enum vr_status
check_segments(const struct bytes *file, const ElfW(Ehdr) * header, char *why,
               size_t why_size)
{
    ElfW(Phdr) segment;

    if (header->e_phentsize != sizeof segment ||
        !has(file, header->e_phoff, (uint64_t)header->e_phnum * sizeof segment))
        return say_not_whole(file, "its program headers lie", why, why_size);
    for (size_t i = 0; i < header->e_phnum; i++) {
        memcpy(&segment, file->at + header->e_phoff + i * sizeof segment,
               sizeof segment);
        if (!has(file, segment.p_offset, segment.p_filesz))
            return say_not_whole(file, "a segment lies", why, why_size);
    }
    return VR_OK;
}

/* Sections are not needed to load it, but they come last in the file. */
static enum vr_status
check_sections(const struct bytes *file, const ElfW(Ehdr) * header, char *why,
               size_t why_size)
{
    ElfW(Shdr) section;
    uint64_t count = header->e_shnum;

    if (header->e_shoff == 0)
        return VR_OK;
    if (header->e_shentsize != sizeof section ||
        !has(file, header->e_shoff, sizeof section))
        return say_not_whole(file, "its section headers lie", why, why_size);
    memcpy(&section, file->at + header->e_shoff, sizeof section);
    /* more than fit the header's number are counted in the first section */
    if (count == 0)
        count = section.sh_size;
    if (count > file->count / sizeof section ||
        !has(file, header->e_shoff, count * sizeof section))
        return say_not_whole(file, "its section headers lie", why, why_size);
    for (size_t i = 1; i < count; i++) {
        memcpy(&section, file->at + header->e_shoff + i * sizeof section,
               sizeof section);
        if (section.sh_type != SHT_NOBITS &&
            !has(file, section.sh_offset, section.sh_size))
            return say_not_whole(file, "a section lies", why, why_size);
    }
    return VR_OK;
}

enum vr_status
image_check(const unsigned char *bytes, size_t count, char *why,
            size_t why_size)
{
    const struct bytes file = {bytes, count};
    ElfW(Ehdr) header;
    enum vr_status status = check_kind(&file, &header, why, why_size);

    if (status == VR_OK)
        status = check_segments(&file, &header, why, why_size);
    if (status == VR_OK)
        status = check_sections(&file, &header, why, why_size);
    return status;
}

/* True when all of `from` is in `to`. */
static bool
pour(int from, int to)
{
    char block[65536];
    uint64_t total = 0;
    ssize_t n;

    while ((n = read(from, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        total += n > 0 ? (uint64_t)n : 0;
        if (n < 0 || total > COPY_MAX_BYTES || write(to, block, (size_t)n) != n)
            return false;
    }
    return true;
}

/* A sealed copy, or -1 if that is not possible here. */
static int
copy_sealed(const char *path, int file)
{
    const char *slash = strrchr(path, '/');
    char name[128];
    int copy;

    snprintf(name, sizeof name, "%.100s", slash ? slash + 1 : path);
    copy = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0)
        return -1;
    if (pour(file, copy) &&
        fcntl(copy, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return copy;
    close(copy);
    return -1;
}

/* A copy lies in no folder, so it cannot find what lies beside the original. */
static bool
names_origin(const unsigned char *bytes, size_t count)
{
    return memmem(bytes, count, "$ORIGIN", 7) ||
           memmem(bytes, count, "${ORIGIN}", 9);
}

/* The check, on a file's mapped bytes; *origin tells whether it must stay where
 * it lies. */
static enum vr_status
check_mapped(int fd, bool *origin, char *why, size_t why_size)
{
    enum vr_status status;
    struct stat st;
    void *bytes;

    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return image_check((const unsigned char *)"", 0, why, why_size);
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        snprintf(why, why_size, "its file cannot be read: %s", strerror(errno));
        return VR_SYSTEM;
    }
    status = image_check(bytes, (size_t)st.st_size, why, why_size);
    *origin = names_origin(bytes, (size_t)st.st_size);
    munmap(bytes, (size_t)st.st_size);
    return status;
}

enum vr_status
image_copy(const char *path, int *fd, char *why, size_t why_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum vr_status status;
    struct stat st;
    bool origin = false;

    *fd = -1;
    if (file < 0)
        return VR_OK;
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(file);
        snprintf(why, why_size, "it is no regular file");
        return VR_INVALID;
    }
    *fd = copy_sealed(path, file);
    close(file);
    if (*fd < 0)
        return VR_OK;
    status = check_mapped(*fd, &origin, why, why_size);
    if (status != VR_OK || origin) {
        close(*fd);
        *fd = -1;
    }
    return status;
}
