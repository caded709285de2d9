// A disk that loses what was not synced, and one that fills up; preloaded into a process under test.
//
//   cc -shared -fPIC -O2 -o disk.so disk.c -ldl
//   LD_PRELOAD=disk.so STEADFAST_DISK=<directory> STEADFAST_DISK_IMAGE=<directory> <program>
//   LD_PRELOAD=disk.so STEADFAST_DISK=<directory> STEADFAST_DISK_BUDGET=<file> <program>
//
// Power loss. Beside the directory that the program sees there is an image: what a disk would have kept.
//
//   <image>/files/<id>   the bytes of a file as of its last fsync or fdatasync
//   <image>/dirs/<id>    the entries of a directory as of its last fsync: "f <id> <name>" or "d <id> <name>" and a NUL
//
// An id is inode and time of birth. So bytes become durable by a sync of their file only, and a name (made, changed or
// taken away) by a sync of its directory only: more than any file system may take away, and no less than POSIX allows.
// sync_file_range makes nothing durable. Whoever kills the program makes a directory out of the image.
//
// Full disk. The budget file tells in digits how many bytes the directory may take (as blocks of the real disk). What
// would grow beyond that is cut short, or answered with ENOSPC; statvfs tells what is left. The file is read each time.
// Each refusal adds a byte to <budget>.refused.
//
// Nothing here sees raw system calls, mmap or io_uring.

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define MAX_RANGES 256 // of one file between two syncs; beyond, the file is copied whole

static const char *root, *image, *budget;
static size_t root_length;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_statvfs)(const char *, struct statvfs *);

static void broken(const char *what) {
    fprintf(stderr, "disk.c: %s: %s\n", what, strerror(errno));
    abort(); // a test must not pass because its disk does not work
}

static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_statvfs = dlsym(RTLD_NEXT, "statvfs64");
    root = getenv("STEADFAST_DISK");
    root_length = root ? strlen(root) : 0;
    image = getenv("STEADFAST_DISK_IMAGE");
    budget = getenv("STEADFAST_DISK_BUDGET");
}

// Whether the path is the directory of this disk, or below it.
static int is_below(const char *path) {
    return root && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

// The mode of an open file or directory of this disk; 0 for any other.
static mode_t ours(int fd) {
    char link[64], path[PAGE];
    pthread_once(&once, start);
    if (!root) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    struct stat of;
    mode_t mode = 0;
    if (length > 0) {
        path[length] = 0;
        if (is_below(path) && !fstat(fd, &of) && (S_ISREG(of.st_mode) || S_ISDIR(of.st_mode))) mode = of.st_mode;
    }
    errno = before;
    return mode;
}

struct id {
    uint64_t inode, born;
};

static struct id id_of(int at, const char *name) {
    struct statx of;
    if (statx(at, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &of)) broken("statx");
    uint64_t born = of.stx_mask & STATX_BTIME ? of.stx_btime.tv_sec * 1000000000ull + of.stx_btime.tv_nsec : 0;
    return (struct id){of.stx_ino, born};
}

// ---- Power loss

// What of a file is not in the image.
struct file {
    struct id id;
    int ranges; // -1: perhaps all of it
    off_t from[MAX_RANGES], to[MAX_RANGES];
    struct file *next;
};

static struct file *files;

// Call it locked.
static struct file *file_of(int fd) {
    struct id id = id_of(fd, "");
    struct file *file = files;
    while (file && (file->id.inode != id.inode || file->id.born != id.born)) file = file->next;
    if (!file) {
        if (!(file = malloc(sizeof *file))) broken("malloc");
        file->id = id;
        file->ranges = -1; // a process before this one may have left something
        file->next = files;
        files = file;
    }
    return file;
}

// These bytes were written just now. After the write: a sync that does not see it is none of the writer's.
static void dirty(int fd, off_t from, off_t to) {
    if (!image || from >= to) return;
    int before = errno;
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    int last = file->ranges - 1;
    if (file->ranges > 0 && from >= file->from[last] && from <= file->to[last]) {
        if (to > file->to[last]) file->to[last] = to;
    } else if (file->ranges == MAX_RANGES) {
        file->ranges = -1;
    } else if (file->ranges >= 0) {
        file->from[file->ranges] = from;
        file->to[file->ranges++] = to;
    }
    pthread_mutex_unlock(&lock);
    errno = before;
}

static void copy(int from, int to, off_t at, off_t end) {
    static char live[1 << 16], kept[1 << 16]; // locked
    for (at -= at % PAGE; at < end; at += sizeof live) {
        ssize_t length = pread(from, live, sizeof live, at);
        if (length < 0) broken("read of the live file");
        if (length == 0) return;
        ssize_t known = pread(to, kept, sizeof kept, at);
        // Page by page: a page is there or not, whenever the process is killed.
        for (ssize_t page = 0; page < length; page += PAGE) {
            ssize_t part = length - page < PAGE ? length - page : PAGE;
            if (known >= page + part && !memcmp(live + page, kept + page, part)) continue;
            if (real_pwrite(to, live + page, part, at + page) != part) broken("write of the image");
        }
    }
}

static void keep_file(int fd) {
    char path[PAGE];
    struct stat of;
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    snprintf(path, sizeof path, "%s/files/%llx-%llx", image, (unsigned long long)file->id.inode,
             (unsigned long long)file->id.born);
    int kept = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    // The program may have opened it for writing only.
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int live = real_open(path, O_RDONLY | O_CLOEXEC);
    if (kept < 0 || live < 0 || fstat(live, &of)) broken("the image of a file");
    if (real_ftruncate(kept, of.st_size)) broken("the size of an image");
    if (file->ranges < 0) copy(live, kept, 0, of.st_size);
    for (int range = 0; range < file->ranges; range++) copy(live, kept, file->from[range], file->to[range]);
    file->ranges = 0;
    close(live);
    close(kept);
    pthread_mutex_unlock(&lock);
}

static void keep_directory(int fd) {
    char path[PAGE], unfinished[PAGE + 8];
    pthread_mutex_lock(&lock);
    struct id id = id_of(fd, "");
    snprintf(path, sizeof path, "%s/dirs/%llx-%llx", image, (unsigned long long)id.inode, (unsigned long long)id.born);
    snprintf(unfinished, sizeof unfinished, "%s.new", path);
    FILE *list = fopen(unfinished, "w");
    DIR *entries = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!list || !entries) broken("the image of a directory");
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct statx of;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        // Another thread may have taken it away meanwhile.
        if (statx(dirfd(entries), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &of)) continue;
        struct id id = id_of(dirfd(entries), entry->d_name);
        fprintf(list, "%c %llx-%llx %s%c", S_ISDIR(of.stx_mode) ? 'd' : 'f', (unsigned long long)id.inode,
                (unsigned long long)id.born, entry->d_name, 0);
    }
    closedir(entries);
    if (fclose(list) || rename(unfinished, path)) broken("the image of a directory");
    pthread_mutex_unlock(&lock);
}

static int keep(int fd, int outcome) {
    mode_t mode;
    int before = errno;
    if (!outcome && (mode = ours(fd)) && image) {
        if (S_ISDIR(mode)) keep_directory(fd);
        else keep_file(fd);
    }
    errno = before;
    return outcome;
}

// ---- Full disk

static uint64_t found;

static int add(const char *path, const struct stat *of, int type, struct FTW *place) {
    (void)path, (void)place;
    if (type == FTW_F) found += of->st_blocks * 512ull;
    return 0;
}

// How many bytes are left.
static uint64_t left(void) {
    char text[32] = "";
    int fd = real_open(budget, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, text, sizeof text - 1, 0) < 1) broken("the budget");
    close(fd);
    uint64_t all = strtoull(text, NULL, 10);
    pthread_mutex_lock(&lock);
    found = 0;
    nftw(root, add, 16, FTW_PHYS);
    uint64_t used = found;
    pthread_mutex_unlock(&lock);
    return used < all ? all - used : 0;
}

static int refuse(void) {
    char path[PAGE];
    snprintf(path, sizeof path, "%s.refused", budget);
    int fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || real_write(fd, "x", 1) != 1) broken("the count of refusals");
    close(fd);
    errno = ENOSPC;
    return -1;
}

// How many of these bytes may be written at `at`, whole pages of what grows; -1 with ENOSPC for none.
static ssize_t allowed(int fd, off_t at, size_t length) {
    struct stat of;
    if (!budget || fstat(fd, &of) || at + (off_t)length <= of.st_size) return length;
    uint64_t grows = at + length - (at > of.st_size ? at : of.st_size), room = left();
    if (grows <= room) return length;
    ssize_t part = length - grows + room / PAGE * PAGE;
    return part > 0 ? part : refuse();
}

static int may_grow(int fd, off_t to) {
    struct stat of;
    if (!budget || fstat(fd, &of) || to <= of.st_size || (uint64_t)(to - of.st_size) <= left()) return 1;
    refuse();
    return 0;
}

// ---- What the program calls

static off_t end_of(int fd) {
    struct stat of;
    if (fcntl(fd, F_GETFL) & O_APPEND) return fstat(fd, &of) ? 0 : of.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    if (!S_ISREG(ours(fd))) return real_pwrite(fd, bytes, length, at);
    ssize_t part = allowed(fd, at, length);
    if (part < 0) return -1;
    ssize_t written = real_pwrite(fd, bytes, part, at);
    dirty(fd, at, at + written);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!S_ISREG(ours(fd))) return real_write(fd, bytes, length);
    off_t at = end_of(fd);
    ssize_t part = allowed(fd, at, length);
    if (part < 0) return -1;
    ssize_t written = real_write(fd, bytes, part);
    dirty(fd, at, at + written);
    return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!S_ISREG(ours(fd))) return real_writev(fd, parts, count);
    // A caller goes on after a write that was cut short.
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len) return write(fd, parts[part].iov_base, parts[part].iov_len);
    return 0;
}

int ftruncate64(int fd, off_t length) {
    struct stat of;
    if (!S_ISREG(ours(fd)) || fstat(fd, &of)) return real_ftruncate(fd, length);
    if (!may_grow(fd, length)) return -1;
    int outcome = real_ftruncate(fd, length);
    if (!outcome) dirty(fd, length, of.st_size);
    return outcome;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

// Gives zeros, which need no copy: the size is told to the image by the next sync.
int fallocate64(int fd, int mode, off_t at, off_t length) {
    if (S_ISREG(ours(fd)) && !may_grow(fd, at + length)) return -1;
    return real_fallocate(fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }

static int open_with(const char *path, int flags, mode_t mode) {
    pthread_once(&once, start);
    int fd = real_open(path, flags, mode);
    if (fd >= 0 && flags & O_TRUNC && image && S_ISREG(ours(fd))) {
        pthread_mutex_lock(&lock);
        file_of(fd)->ranges = -1;
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define OPEN(name)                                                               \
    int name(const char *path, int flags, ...) {                                 \
        va_list rest;                                                            \
        va_start(rest, flags);                                                   \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;  \
        va_end(rest);                                                            \
        return open_with(path, flags, mode);                                     \
    }

OPEN(open)
OPEN(open64)

int fsync(int fd) {
    pthread_once(&once, start);
    return keep(fd, real_fsync(fd));
}

int fdatasync(int fd) {
    pthread_once(&once, start);
    return keep(fd, real_fdatasync(fd));
}

int statvfs64(const char *path, struct statvfs64 *of) {
    pthread_once(&once, start);
    int outcome = real_statvfs(path, (struct statvfs *)of);
    if (!outcome && budget && is_below(path)) {
        uint64_t blocks = left() / of->f_frsize;
        if (blocks < of->f_bavail) of->f_bavail = of->f_bfree = blocks;
    }
    return outcome;
}

int statvfs(const char *path, struct statvfs *of) { return statvfs64(path, (struct statvfs64 *)of); }
