/*
 * `http_load <port> <path> <connections> <bytes of the body> <seconds to warm up> <seconds>`: asks for the path over kept
 * connections, a request at a time on each, and times each from its first byte to the last of its answer. An answer that is not
 * 200 with a body of so many bytes ends it with an error: figures of anything else would prove nothing.
 */
#include "loop.h"

#define HEAD_MOST 4096

struct connection {
  int fd;
  int64_t began;
  /* Of the body of the answer; -1: its head has not come whole. */
  int64_t remaining;
  size_t head_length;
  char head[HEAD_MOST + 1];
};

static char request[1024];
static size_t request_length;
static int64_t body_length;
static struct phases phases;
static char input[256 * 1024];

static void ask(struct connection *connection) {
  connection->began = now();
  connection->remaining = -1;
  connection->head_length = 0;
  if (send(connection->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) fail("send");
}

static void check_head(const char *head) {
  if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) fprintf(stderr, "%.60s\n", head), fail("an answer");
  const char *length = strcasestr(head, "\r\ncontent-length:");
  if (length == NULL || atoll(length + 17) != body_length) fail("the length of an answer");
}

/* Returns how many of the bytes belong to the head. */
static size_t read_head(struct connection *connection, const char *bytes, size_t length) {
  size_t had = connection->head_length;
  size_t taken = length < HEAD_MOST - had ? length : HEAD_MOST - had;
  memcpy(connection->head + had, bytes, taken);
  connection->head_length += taken;
  connection->head[connection->head_length] = 0;
  char *end = strstr(connection->head, "\r\n\r\n");
  if (end == NULL && connection->head_length == HEAD_MOST) fail("the head of an answer");
  if (end == NULL) return taken;
  end[4] = 0;
  check_head(connection->head);
  connection->remaining = body_length;
  return (size_t)(end + 4 - connection->head) - had;
}

static void receive(struct connection *connection) {
  ssize_t length = recv(connection->fd, input, sizeof input, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) fail("a connection that ended");
  size_t at = connection->remaining < 0 ? read_head(connection, input, (size_t)length) : 0;
  if (connection->remaining < 0) return;
  connection->remaining -= length - (ssize_t)at;
  if (connection->remaining < 0) fail("more than the answer");
  if (connection->remaining > 0) return;
  count_round(&phases, connection->began);
  ask(connection);
}

static void open_all(int epoll, int port, int count) {
  for (int at = 0; at < count; at++) {
    struct connection *connection = calloc(1, sizeof *connection);
    connection->fd = start_connection(port);
    watch(epoll, EPOLL_CTL_ADD, connection->fd, EPOLLOUT, connection);
  }
}

int main(int count, char **words) {
  if (count != 7) fail("usage: http_load <port> <path> <connections> <bytes> <warm up> <seconds>");
  raise_file_limit();
  request_length = (size_t)snprintf(request, sizeof request,
      "GET %s HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", words[2]);
  body_length = atoll(words[4]);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  open_all(epoll, atoi(words[1]), atoi(words[3]));
  begin_phases(&phases, atof(words[5]), atof(words[6]));
  struct epoll_event events[512];
  while (!is_over(&phases)) {
    int found = epoll_wait(epoll, events, 512, 10);
    for (int at = 0; at < found; at++) {
      struct connection *connection = events[at].data.ptr;
      if (events[at].events & EPOLLIN) receive(connection);
      else if (events[at].events & EPOLLOUT) {
        watch(epoll, EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
        ask(connection);
      } else fail("a connection");
    }
  }
}
