/* The same job as the valve process does, in C: what this computer allows a program that sends pulses.
 *
 *     sender PORT PAUSE_MS WIDTH_MS:COUNT...
 *
 * It brings the module to the safe word, arms its watchdog and proves it, sends every edge at its absolute time, takes
 * the replies in the gaps, and there goes the same rounds: coils back, word again, trip counter. It prints one JSON:
 * every edge as [due, sent, confirmed] in ns of CLOCK_MONOTONIC. An opening too late to be executed has sent 0, and
 * confirmed says when that was seen; its closing has neither.
 * PRIORITY and SPIN_NS come from the compiler's command line, so that they are always those of the valve process.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL
#define WATCHDOG_MS 500
#define ROUND_NS (WATCHDOG_MS * MS / 5)
#define LATE_NS (5 * MS)         /* an opening later than this is not executed */
#define CONFIRM_NS (20 * MS)     /* a request unanswered for this long ends everything */
#define BEFORE_EDGE_NS (5 * MS)  /* no other telegram within this time before an edge */
#define BEHIND_EDGE_NS (1 * MS)
#define START_NS (50 * MS)
#define OPEN_MAX 8

typedef struct { int64_t due, sent, confirmed; } Edge;
typedef struct { uint16_t id; uint8_t function; int64_t until; Edge *edge; } Request;

static int module;
static Request owed[OPEN_MAX];
static int owing;
static uint16_t last_id, trips, word;
static uint8_t heard[512];
static size_t heard_size;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "%s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void ask(uint8_t *frame, size_t size, Edge *edge) {
    if (owing == OPEN_MAX) die("too many requests are unanswered");
    last_id = last_id % 0xFFFF + 1;
    frame[0] = last_id >> 8, frame[1] = last_id & 0xFF;
    if (send(module, frame, size, MSG_NOSIGNAL) != (ssize_t)size) die("the network took only a part");
    int64_t at = now();
    owed[owing++] = (Request){last_id, frame[7], at + CONFIRM_NS, edge};
    if (edge) edge->sent = at;
}

/* FC 15 over 16 coils; both frames are ready before they are needed. */
static void write_word(uint16_t wanted, Edge *edge) {
    static uint8_t frames[2][15] = {{0, 0, 0, 0, 0, 9, 1, 15, 0, 0, 0, 16, 2, 0, 0}, {0, 0, 0, 0, 0, 9, 1, 15, 0, 0, 0, 16, 2, 1, 0}};
    word = wanted;
    ask(frames[wanted], sizeof frames[0], edge);
}

static void ask_pair(uint8_t function, uint16_t one, uint16_t other) {
    uint8_t frame[12] = {0, 0, 0, 0, 0, 6, 1, function, one >> 8, one & 0xFF, other >> 8, other & 0xFF};
    ask(frame, sizeof frame, NULL);
}

/* --- replies ----------------------------------------------------------------------------------------------------- */

static uint16_t value;  /* of the last register or coils that were read */

static void take(const uint8_t *reply) {
    int i = 0;
    uint16_t id = reply[0] << 8 | reply[1];
    while (i < owing && owed[i].id != id) i++;
    errno = 0;
    if (i == owing || reply[7] != owed[i].function) die("the module's reply is to no request, or an exception");
    if (owed[i].edge) owed[i].edge->confirmed = now();
    if (reply[7] == 1) value = reply[9] | reply[10] << 8;
    if (reply[7] == 3) value = reply[9] << 8 | reply[10];
    memmove(&owed[i], &owed[i + 1], sizeof *owed * (--owing - i));
}

static void hear(void) {
    ssize_t size = recv(module, heard + heard_size, sizeof heard - heard_size, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) die("the module closed the connection");
    heard_size += size;
    for (size_t length; heard_size >= 6 && heard_size >= (length = 6 + (heard[4] << 8 | heard[5]));) {
        take(heard);
        memmove(heard, heard + length, heard_size -= length);
    }
}

/* Takes replies until none is owed any more, or until it is time. */
static void hear_until(int64_t at) {
    struct pollfd readable = {module, POLLIN, 0};
    for (int64_t left; owing && (left = at - now()) > 0;) {
        struct timespec wait = {left / 1000000000LL, left % 1000000000LL};
        if (ppoll(&readable, 1, &wait, NULL) > 0) hear();
        errno = 0;
        if (owing && owed[0].until < now()) die("the module did not answer in time");
    }
}

static void sleep_until(int64_t at) {
    struct timespec t = {at / 1000000000LL, at % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

/* --- the job ----------------------------------------------------------------------------------------------------- */

static uint16_t get(uint8_t function, uint16_t address, uint16_t count) {
    ask_pair(function, address, count);
    hear_until(now() + CONFIRM_NS);
    return value;
}

static void set(uint16_t address, uint16_t to) {
    ask_pair(6, address, to);
    hear_until(now() + CONFIRM_NS);
}

static void safe_word(void) {
    write_word(0, NULL);
    hear_until(now() + CONFIRM_NS);
}

static void arm(void) {
    safe_word();
    set(0x1122, 0);  /* fed by write telegrams alone */
    set(0x1120, WATCHDOG_MS);
    set(0x1121, 0xBECF), set(0x1121, 0xAFFE);
    safe_word();
    trips = get(3, 0x1021, 1);
    errno = 0;
    if (owing || get(3, 0x1120, 1) != WATCHDOG_MS || get(3, 0x1122, 1) || get(3, 0x1123, 1)) die("not armed");
    if (!get(3, 0x1020, 1) || get(1, 0, 16)) die("the watchdog does not run, or a coil is on");
}

/* One request of a round at a time, while the next edge is far enough away. */
static void go_rounds(int64_t behind, int64_t next_edge) {
    static int64_t round_at;
    static int step;
    int64_t last = next_edge - BEFORE_EDGE_NS;
    if (!step && now() < round_at) return;
    if (behind + BEHIND_EDGE_NS >= last) return;
    sleep_until(behind + BEHIND_EDGE_NS);
    while (!owing && now() < last) {
        if (!step) round_at = now() + ROUND_NS;
        value = word;
        if (step == 0) ask_pair(1, 0, 16);
        else if (step == 1) write_word(word, NULL);
        else ask_pair(3, 0x1021, 1);
        hear_until(next_edge - SPIN_NS);
        errno = 0;
        if (!owing && value != (step == 2 ? trips : word)) die("the module is not as it must be");
        step = (step + 1) % 3;
        if (!step) return;
    }
}

static void edge_at(Edge *edge, int64_t due, uint16_t wanted) {
    edge->due = due;
    hear_until(due - SPIN_NS);
    go_rounds(now(), due);
    sleep_until(due - SPIN_NS);
    while (now() < due) {}
    int64_t at = now();
    if (wanted && at - due > LATE_NS) edge->confirmed = at;
    else if (wanted != word) write_word(wanted, edge);
}

static int real_time(void) {
    struct sched_param priority = {.sched_priority = PRIORITY};
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    mlockall(MCL_CURRENT | MCL_FUTURE);
    return sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

int main(int argc, char **argv) {
    int on = 1, count = 0, width_ms, pulses;
    if (argc < 4) die("usage: sender PORT PAUSE_MS WIDTH_MS:COUNT...");
    for (int i = 3; i < argc; i++) {
        if (sscanf(argv[i], "%d:%d", &width_ms, &pulses) != 2) die("a series is WIDTH_MS:COUNT");
        count += 2 * pulses;
    }
    Edge *edges = calloc(count, sizeof *edges), *edge = edges;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    module = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(module, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!edges || connect(module, (struct sockaddr *)&address, sizeof address)) die("no connection to the module");
    int allowed = real_time();
    arm();
    int64_t at = now() + START_NS, pause = atoi(argv[2]) * MS;
    for (int i = 3; i < argc; i++) {
        sscanf(argv[i], "%d:%d", &width_ms, &pulses);
        for (int n = 0; n < pulses; n++, at += width_ms * MS + pause) {
            edge_at(edge++, at + pause / 2, 1);
            edge_at(edge++, at + pause / 2 + width_ms * MS, 0);
        }
    }
    hear_until(now() + CONFIRM_NS);
    printf("{\"real_time\": %s, \"edges\": [", allowed ? "true" : "false");
    for (edge = edges; edge < edges + count; edge++)
        printf("%s[%lld, %lld, %lld]", edge == edges ? "" : ", ", (long long)edge->due, (long long)edge->sent, (long long)edge->confirmed);
    puts("]}");
    return 0;
}
