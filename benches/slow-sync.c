/* slow-sync MICROSECONDS COMMAND...: every fsync and fdatasync of the command, and of all that it starts, takes so much longer.
 *
 *   one of them calls --> the kernel holds the call and tells us --> receive --> queue (in order) --> due: the kernel goes on
 *
 * The kernel asks us by a filter of seccomp (seccomp(2), seccomp_unotify(2)), so a program may be linked as it likes, nobody is
 * traced, and all other calls go on as ever. Linux 5.19. It ends when the last of them has ended, with the command's exit code,
 * and says how many calls it has held. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "slow-sync.c: say here what seccomp calls this processor"
#endif

/* A call that is held: a thread has one at a time, so so many threads may sync at once. Beyond, the kernel keeps them. */
enum { ROOM = 4096 };
static struct held {
    __u64 id;
    struct timespec due;
} held[ROOM];
static atomic_ulong received, released;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static int listener;
static pid_t child;

static void die(const char *doing) {
    fprintf(stderr, "slow-sync: ");
    perror(doing);
    exit(2);
}

/* All of them are held equally long, so who came first is due first. */
__attribute__((noreturn)) static void *release(void *nothing) {
    (void)nothing;
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (;;) {
        pthread_mutex_lock(&lock);
        while (received == released) {
            pthread_cond_wait(&news, &lock);
        }
        struct held *first = &held[released % ROOM];
        pthread_mutex_unlock(&lock);
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &first->due, NULL) == EINTR) {
        }
        struct seccomp_notif_resp answer = {.id = first->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0 && errno != ENOENT) { /* it was killed meanwhile */
            die("releasing a call");
        }
        pthread_mutex_lock(&lock);
        released++;
        pthread_cond_signal(&news);
        pthread_mutex_unlock(&lock);
    }
}

static void receive(long microseconds) {
    struct pollfd poll_of = {.fd = listener, .events = POLLIN};
    for (;;) {
        if (poll(&poll_of, 1, -1) < 0) {
            if (errno == EINTR) continue;
            die("waiting for calls");
        }
        if (poll_of.revents & POLLHUP) return;
        struct seccomp_notif call = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            if (errno == EINTR || errno == ENOENT) continue;
            die("receiving a call");
        }
        struct held next = {.id = call.id};
        clock_gettime(CLOCK_MONOTONIC, &next.due);
        long nanoseconds = next.due.tv_nsec + microseconds % 1000000 * 1000;
        next.due.tv_sec += microseconds / 1000000 + nanoseconds / 1000000000;
        next.due.tv_nsec = nanoseconds % 1000000000;
        pthread_mutex_lock(&lock);
        while (received - released == ROOM) {
            pthread_cond_wait(&news, &lock);
        }
        held[received % ROOM] = next;
        received++;
        pthread_cond_signal(&news);
        pthread_mutex_unlock(&lock);
    }
}

/* From here on, we are asked for this process and all that it starts: by what it answers, unless it is less than 0. */
static int filter(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog of = {.len = sizeof program / sizeof *program, .filter = program};
    unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) return -errno;
    int number = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &of);
    return number < 0 ? -errno : number;
}

static void pass_on(int signal) { kill(child, signal); }

int main(int count, char **arguments) {
    char *end = NULL;
    long microseconds = count > 2 ? strtol(arguments[1], &end, 10) : -1;
    if (microseconds < 0 || *end != '\0') {
        fprintf(stderr, "slow-sync MICROSECONDS COMMAND...\n");
        return 2;
    }
    /* Until it runs the command, the child has our table of open files: so we have the listener that it makes. */
    int told[2];
    if (pipe2(told, O_CLOEXEC) != 0) die("making a pipe");
    child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child < 0) die("starting a process");
    if (child == 0) {
        int made = filter();
        if (write(told[1], &made, sizeof made) != sizeof made || made < 0) _exit(2);
        execvp(arguments[2], arguments + 2);
        perror(arguments[2]);
        _exit(127);
    }
    if (read(told[0], &listener, sizeof listener) != sizeof listener) die("hearing of the listener");
    if (listener < 0) {
        errno = -listener;
        die("filtering calls (Linux 5.19 or later?)");
    }
    signal(SIGINT, SIG_IGN); /* they have it, too, and may still sync */
    signal(SIGTERM, pass_on);
    pthread_t releasing;
    if ((errno = pthread_create(&releasing, NULL, release, NULL)) != 0) die("starting a thread");
    receive(microseconds);
    int status = 0;
    if (waitpid(child, &status, 0) != child) die("waiting for the command");
    fprintf(stderr, "slow-sync: %ld us more for each of %lu syncs\n", microseconds, released);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
