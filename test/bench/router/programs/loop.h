/* What the programs of the router's bench share: one thread, one epoll, sockets of the loopback interface that never wait. */
#ifndef LOOP_H
#define LOOP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, errno == 0 ? "not as expected" : strerror(errno));
  exit(1);
}

/* Nanoseconds of a clock that only goes forward. */
static inline int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* As many open files as the host allows. */
static inline void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static inline void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* A socket whose connection is under way: it can be written to when it stands. */
static inline int start_connection(int port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  send_at_once(fd);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
  return fd;
}

static inline void watch(int epoll, int operation, int fd, uint32_t events, void *connection) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

/* How often something took how long: 64 steps for each doubling, so that a quantile is off by at most 1.6 %. */
struct histogram {
  uint64_t count;
  uint64_t steps[64 * 40];
};

static inline void note_duration(struct histogram *histogram, int64_t nanoseconds) {
  uint64_t value = nanoseconds < 64 ? 64 : (uint64_t)nanoseconds;
  int shift = 63 - __builtin_clzll(value) - 6;
  uint64_t step = (uint64_t)shift * 64 + (value >> shift) - 64;
  histogram->count++;
  histogram->steps[step < 64 * 40 ? step : 64 * 40 - 1]++;
}

/* The duration in nanoseconds that at least this share of all did not exceed. */
static inline double quantile(const struct histogram *histogram, double share) {
  uint64_t seen = 0;
  for (int step = 0; step < 64 * 40; step++) {
    seen += histogram->steps[step];
    if (seen > 0 && (double)seen >= share * (double)histogram->count)
      return (double)((uint64_t)(step % 64 + 64) << (step / 64));
  }
  return 0;
}

/*
 * A load warms up, says "measure" when the measured time begins and "measured" when it ends, each on a line of its own, so that
 * whoever started it knows when to look at clocks. Then it prints what it measured as JSON.
 */
struct phases {
  int64_t warm_until;
  int64_t begun;
  int64_t duration;
  struct histogram durations;
};

static inline void say(const char *line) {
  puts(line);
  fflush(stdout);
}

static inline void begin_phases(struct phases *phases, double warm_up, double duration) {
  phases->warm_until = now() + (int64_t)(warm_up * 1e9);
  phases->duration = (int64_t)(duration * 1e9);
}

/* Counts one round that has just ended, where the measured time has begun. */
static inline void count_round(struct phases *phases, int64_t began) {
  if (phases->begun != 0) note_duration(&phases->durations, now() - began);
}

/* To be asked again and again; returns whether the load is over, and has printed its result then. */
static inline bool is_over(struct phases *phases) {
  int64_t time = now();
  if (phases->begun == 0 && time >= phases->warm_until) {
    phases->begun = time;
    say("measure");
    return false;
  }
  if (phases->begun == 0 || time < phases->begun + phases->duration) return false;
  say("measured");
  double seconds = (double)(time - phases->begun) / 1e9;
  const struct histogram *durations = &phases->durations;
  printf("{\"rounds\":%llu,\"seconds\":%.6f,\"p50\":%.6f,\"p99\":%.6f}\n", (unsigned long long)durations->count,
         seconds, quantile(durations, 0.5) / 1e6, quantile(durations, 0.99) / 1e6);
  fflush(stdout);
  return true;
}

#endif
