/* A disk that fails: preloaded, it counts the calls that change what lies below one folder, and where it is to, those that
   open a file or list a folder there to read it, and refuses the one that is asked for. The orders lie in a file that every
   process of the command has mapped; it is named by FAILING_DISK. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 1, OPEN = 2, WRITE = 4, TRUNCATE = 8, SYNC = 16, RENAME = 32, MKDIR = 64, LINK = 128, REMOVE = 256, META = 512,
            READ = 1024 };

struct orders {              /* as struct.pack("7i2Q1024s1024s") in failing_disk.py */
    int at;                  /* which call is refused, from 1; 0: none */
    int error;               /* its errno */
    int lasting;             /* the kinds of later calls that are refused, too; where reads are counted, of its file alone */
    int counted;             /* the kinds of calls that are counted */
    int late;                /* a file is opened, and what is then read of it is refused */
    int calls;               /* how many there were */
    int refused;             /* how many were refused */
    unsigned long device;    /* where reads are counted: the file whose opening was refused */
    unsigned long inode;
    char below[1024];        /* the folder, absolute */
    char log[1024];          /* a line for each call is added here */
};

static struct orders *orders;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAILING_DISK");
    int file = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) orders = mapped;
    syscall(SYS_close, file);
}

static const char *kind_name(enum kind kind) {
    switch (kind) {
        case CREATE: return "create";
        case OPEN: return "open";
        case WRITE: return "write";
        case TRUNCATE: return "truncate";
        case SYNC: return "sync";
        case RENAME: return "rename";
        case MKDIR: return "mkdir";
        case LINK: return "link";
        case REMOVE: return "remove";
        case READ: return "read";
        default: return "meta";
    }
}

static int target(char *path, int fd) {  /* where the open file `fd` lies */
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, 4095);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int placed(char *path, int folder, const char *name) {  /* `name`, as it is meant in `folder`, made absolute */
    if (!name) return 0;
    if (name[0] == '/') return snprintf(path, 4096, "%s", name) < 4096;
    char base[4096];
    if (folder == AT_FDCWD ? syscall(SYS_getcwd, base, sizeof base) <= 0 : !target(base, folder)) return 0;
    return snprintf(path, 4096, "%s/%s", base, name) < 4096;
}

static int is_the_one(const struct stat *file) {
    return file->st_dev == orders->device && file->st_ino == orders->inode;
}

static int refuses(enum kind kind, const char *path) {
    size_t length = strlen(orders->below);
    if (!(kind & orders->counted)) return 0;
    if (!length || strncmp(path, orders->below, length) || (path[length] && path[length] != '/')) return 0;
    int number = __sync_add_and_fetch(&orders->calls, 1);
    if (orders->log[0]) {
        char line[4400];
        int size = snprintf(line, sizeof line, "%d\t%s\t%s\n", number, kind_name(kind), path + length);
        int log = (int)syscall(SYS_openat, AT_FDCWD, orders->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        syscall(SYS_write, log, line, size);
        syscall(SYS_close, log);
    }
    struct stat file = {0};
    if (orders->counted & READ) stat(path, &file);
    if (number == orders->at) {
        orders->device = file.st_dev, orders->inode = file.st_ino;
        if (orders->late && S_ISREG(file.st_mode)) return 0;
    }
    if (number == orders->at || (orders->refused && (kind & orders->lasting) && is_the_one(&file))) {
        __sync_add_and_fetch(&orders->refused, 1);
        errno = orders->error;
        return 1;
    }
    return 0;
}

static int refuses_at(enum kind kind, int folder, const char *name) {
    char path[4096];
    return orders && orders->below[0] && placed(path, folder, name) && refuses(kind, path);
}

static int refuses_file(enum kind kind, int fd) {
    char path[4096];
    return orders && orders->below[0] && fd > 2 && target(path, fd) && path[0] == '/' && refuses(kind, path);
}

static int refuses_read(int fd) {
    struct stat file;
    if (!orders || !orders->late || !orders->inode || fd < 3 || fstat(fd, &file) || !is_the_one(&file)) return 0;
    __sync_add_and_fetch(&orders->refused, 1);
    errno = orders->error;
    return 1;
}

static int refuses_open(int folder, const char *name, int flags) {
    int kind = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) ? READ : OPEN;
    if ((flags & O_TMPFILE) == O_TMPFILE) kind = CREATE;
    else if (flags & O_CREAT) kind = syscall(SYS_faccessat, folder, name, F_OK) ? CREATE : kind;
    return refuses_at(kind, folder, name);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static mode_t mode_of(int flags, va_list more) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
}

#define OPENS(name)                                              \
    int name(const char *path, int flags, ...) {                 \
        va_list more;                                            \
        va_start(more, flags);                                   \
        mode_t mode = mode_of(flags, more);                      \
        va_end(more);                                            \
        if (refuses_open(AT_FDCWD, path, flags)) return -1;      \
        return REAL(name)(path, flags, mode);                    \
    }
#define OPENS_AT(name)                                           \
    int name(int folder, const char *path, int flags, ...) {     \
        va_list more;                                            \
        va_start(more, flags);                                   \
        mode_t mode = mode_of(flags, more);                      \
        va_end(more);                                            \
        if (refuses_open(folder, path, flags)) return -1;        \
        return REAL(name)(folder, path, flags, mode);            \
    }
OPENS(open) OPENS(open64) OPENS_AT(openat) OPENS_AT(openat64)

#define OPENS_STREAM(name)                                                                              \
    FILE *name(const char *path, const char *mode) {                                                    \
        int flags = mode[0] == 'r' ? (strchr(mode, '+') ? O_RDWR : O_RDONLY) : O_WRONLY | O_CREAT;      \
        if (refuses_open(AT_FDCWD, path, flags)) return NULL;                                           \
        return REAL(name)(path, mode);                                                                  \
    }
OPENS_STREAM(fopen) OPENS_STREAM(fopen64)

DIR *opendir(const char *path) {
    return refuses_at(READ, AT_FDCWD, path) ? NULL : REAL(opendir)(path);
}

/* What a stream writes leaves it inside of the C library, where nothing can be put between: its own calls stand for it. */
size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    return refuses_file(WRITE, fileno(stream)) ? 0 : REAL(fwrite)(data, size, count, stream);
}
int fflush(FILE *stream) {
    return stream && refuses_file(WRITE, fileno(stream)) ? EOF : REAL(fflush)(stream);
}

#define REFUSES(type, name, parameters, values, refused) \
    type name parameters {                               \
        if (refused) return -1;                          \
        return REAL(name) values;                        \
    }
REFUSES(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), refuses_read(fd))
REFUSES(ssize_t, readv, (int fd, const struct iovec *parts, int n), (fd, parts, n), refuses_read(fd))
REFUSES(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), refuses_read(fd))
REFUSES(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), refuses_read(fd))
REFUSES(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), refuses_file(WRITE, fd))
REFUSES(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), refuses_file(WRITE, fd))
REFUSES(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), refuses_file(WRITE, fd))
REFUSES(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), refuses_file(WRITE, fd))
REFUSES(ssize_t, pwritev, (int fd, const struct iovec *parts, int n, off_t at), (fd, parts, n, at), refuses_file(WRITE, fd))
REFUSES(ssize_t, sendfile, (int out, int in, off_t *at, size_t n), (out, in, at, n), refuses_file(WRITE, out))
REFUSES(ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n), (out, in, at, n), refuses_file(WRITE, out))
REFUSES(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags),
        (in, from, out, to, n, flags), refuses_file(WRITE, out))
REFUSES(int, ftruncate, (int fd, off_t size), (fd, size), refuses_file(TRUNCATE, fd))
REFUSES(int, ftruncate64, (int fd, off64_t size), (fd, size), refuses_file(TRUNCATE, fd))
REFUSES(int, truncate, (const char *path, off_t size), (path, size), refuses_at(TRUNCATE, AT_FDCWD, path))
REFUSES(int, truncate64, (const char *path, off64_t size), (path, size), refuses_at(TRUNCATE, AT_FDCWD, path))
REFUSES(int, fdatasync, (int fd), (fd), refuses_file(SYNC, fd))

int fsync(int fd) {  /* a walk has thousands of them, on a disk that will not lose its power */
    int before = orders ? orders->calls : 0;
    if (refuses_file(SYNC, fd)) return -1;
    return orders && orders->calls > before ? 0 : REAL(fsync)(fd);
}
REFUSES(int, rename, (const char *old, const char *new), (old, new), refuses_at(RENAME, AT_FDCWD, new))
REFUSES(int, renameat, (int a, const char *old, int b, const char *new), (a, old, b, new), refuses_at(RENAME, b, new))
REFUSES(int, mkdir, (const char *path, mode_t mode), (path, mode), refuses_at(MKDIR, AT_FDCWD, path))
REFUSES(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), refuses_at(MKDIR, folder, path))
REFUSES(int, link, (const char *old, const char *new), (old, new), refuses_at(LINK, AT_FDCWD, new))
REFUSES(int, linkat, (int a, const char *old, int b, const char *new, int flags), (a, old, b, new, flags), refuses_at(LINK, b, new))
REFUSES(int, symlink, (const char *to, const char *path), (to, path), refuses_at(LINK, AT_FDCWD, path))
REFUSES(int, symlinkat, (const char *to, int folder, const char *path), (to, folder, path), refuses_at(LINK, folder, path))
REFUSES(int, unlink, (const char *path), (path), refuses_at(REMOVE, AT_FDCWD, path))
REFUSES(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), refuses_at(REMOVE, folder, path))
REFUSES(int, rmdir, (const char *path), (path), refuses_at(REMOVE, AT_FDCWD, path))
REFUSES(int, chmod, (const char *path, mode_t mode), (path, mode), refuses_at(META, AT_FDCWD, path))
REFUSES(int, utimensat, (int folder, const char *path, const struct timespec times[2], int flags),
        (folder, path, times, flags), refuses_at(META, folder, path))
