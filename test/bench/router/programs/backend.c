/*
 * The service behind the proxies: `backend <port>`. It answers GET /small with 12 bytes, GET /large with 100 KiB, and any request
 * for an upgrade with a WebSocket that echoes every message; it says "ready" when it listens.
 *
 * The key of a handshake is always the one of RFC 6455, section 1.3, whose answer is known: proxies pass both on as they are.
 */
#include "loop.h"

#define LARGE (100 * 1024)
#define HEAD_MOST 8192
#define FRAME_HEAD_MOST 14

static const char upgraded[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char small[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n";
static char large[LARGE + 256];
static size_t large_length;

static char input[256 * 1024];
/* Every byte of the input makes at most one of an echo, and every frame's head a shorter one. A request makes more. */
static char output[4 * 1024 * 1024];
static size_t output_length;

struct connection {
  int fd;
  bool is_websocket;
  bool is_ending;
  /* A head of a request or of a frame that has not come whole. */
  char *head;
  size_t head_length;
  /* What is left of the frame that is being echoed. */
  uint64_t remaining;
  uint8_t mask[4];
  unsigned mask_at;
  /* What the socket has not taken yet. */
  char *unsent;
  size_t unsent_length;
};

static int epoll;

static void drop(struct connection *connection) {
  close(connection->fd);
  free(connection->head);
  free(connection->unsent);
  free(connection);
}

static void put(const void *bytes, size_t length) {
  if (output_length + length > sizeof output) fail("more requests at once than fit");
  memcpy(output + output_length, bytes, length);
  output_length += length;
}

static void answer(struct connection *connection, const char *head) {
  if (strcasestr(head, "\r\nupgrade: websocket\r\n") != NULL) {
    connection->is_websocket = true;
    put(upgraded, sizeof upgraded - 1);
  } else if (strncmp(head, "GET /large ", 11) == 0) {
    put(large, large_length);
  } else {
    put(small, sizeof small - 1);
  }
}

/* Keeps what has come of a head. Returns all of it that there is, with a zero after it. */
static char *gather(struct connection *connection, const char *bytes, size_t length) {
  if (connection->head_length + length > HEAD_MOST) fail("a head that is too long");
  connection->head = realloc(connection->head, HEAD_MOST + 1);
  memcpy(connection->head + connection->head_length, bytes, length);
  connection->head_length += length;
  connection->head[connection->head_length] = 0;
  return connection->head;
}

static void forget_head(struct connection *connection) {
  free(connection->head);
  connection->head = NULL;
  connection->head_length = 0;
}

/* Answers at most one request. Returns how many of the bytes it took. */
static size_t read_request(struct connection *connection, const char *bytes, size_t length) {
  size_t had = connection->head_length;
  size_t taken = length < HEAD_MOST - had ? length : HEAD_MOST - had;
  char *head = gather(connection, bytes, taken);
  char *end = strstr(head, "\r\n\r\n");
  if (end == NULL) return taken;
  size_t used = (size_t)(end + 4 - head) - had;
  end[4] = 0;
  answer(connection, head);
  forget_head(connection);
  return used;
}

/* The length of the head of a frame, as far as it can be known; always one that is masked. */
static size_t frame_head_length(const uint8_t *head, size_t length) {
  if (length < 2) return 2;
  unsigned size = head[1] & 0x7f;
  return 2 + (size == 126 ? 2 : size == 127 ? 8 : 0) + 4;
}

/* Begins to echo a frame by writing its head without a mask. */
static void begin_echo(struct connection *connection, const uint8_t *head, size_t length) {
  unsigned size = head[1] & 0x7f;
  uint8_t echoed[FRAME_HEAD_MOST];
  memcpy(echoed, head, length - 4);
  echoed[1] = size;
  put(echoed, length - 4);
  connection->remaining = size;
  if (size >= 126) {
    connection->remaining = 0;
    for (size_t at = 2; at < length - 4; at++) connection->remaining = connection->remaining << 8 | head[at];
  }
  memcpy(connection->mask, head + length - 4, 4);
  connection->mask_at = 0;
  if ((head[0] & 0x0f) == 8) connection->is_ending = true;
}

static size_t read_frame_head(struct connection *connection, const char *bytes) {
  const uint8_t *head = (const uint8_t *)gather(connection, bytes, 1);
  size_t whole = frame_head_length(head, connection->head_length);
  if (connection->head_length >= 2 && connection->head_length == whole) {
    begin_echo(connection, head, whole);
    connection->head_length = 0;
  }
  return 1;
}

static size_t echo(struct connection *connection, const char *bytes, size_t length) {
  size_t taken = length < connection->remaining ? length : connection->remaining;
  uint8_t mask[8];
  for (int at = 0; at < 8; at++) mask[at] = connection->mask[(connection->mask_at + at) & 3];
  uint64_t wide;
  memcpy(&wide, mask, 8);
  if (output_length + taken > sizeof output) fail("more bytes at once than fit");
  char *into = output + output_length;
  size_t at = 0;
  for (; at + 8 <= taken; at += 8) {
    uint64_t word;
    memcpy(&word, bytes + at, 8);
    word ^= wide;
    memcpy(into + at, &word, 8);
  }
  for (; at < taken; at++) into[at] = bytes[at] ^ mask[at & 7];
  output_length += taken;
  connection->mask_at = (connection->mask_at + taken) & 3;
  connection->remaining -= taken;
  return taken;
}

static size_t read_some(struct connection *connection, const char *bytes, size_t length) {
  if (!connection->is_websocket) return read_request(connection, bytes, length);
  if (connection->remaining > 0) return echo(connection, bytes, length);
  return read_frame_head(connection, bytes);
}

/* Sends what there is, and keeps what the socket does not take. Returns false when the connection is gone. */
static bool flush(struct connection *connection, const char *bytes, size_t length) {
  ssize_t sent = length == 0 ? 0 : send(connection->fd, bytes, length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  size_t rest = length - (size_t)(sent < 0 ? 0 : sent);
  char *kept = NULL;
  if (rest > 0) {
    kept = malloc(rest);
    memcpy(kept, bytes + length - rest, rest);
  }
  if ((rest > 0) != (connection->unsent != NULL))
    watch(epoll, EPOLL_CTL_MOD, connection->fd, rest > 0 ? EPOLLOUT : EPOLLIN, connection);
  free(connection->unsent);
  connection->unsent = kept;
  connection->unsent_length = rest;
  return rest > 0 || !(connection->is_ending && connection->remaining == 0);
}

static bool serve(struct connection *connection, uint32_t events) {
  if (events & EPOLLOUT) return flush(connection, connection->unsent, connection->unsent_length);
  ssize_t length = recv(connection->fd, input, sizeof input, 0);
  if (length < 0 && errno == EAGAIN) return true;
  if (length <= 0) return false;
  output_length = 0;
  for (size_t at = 0; at < (size_t)length;) at += read_some(connection, input + at, (size_t)length - at);
  if (connection->is_websocket && connection->head_length == 0) forget_head(connection);
  return flush(connection, output, output_length);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) fail("accept");
    send_at_once(fd);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, connection);
  }
}

static int listen_on(int port) {
  struct sockaddr_in address = loopback(port);
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(fd, 16384) != 0) fail("listen");
  return fd;
}

static void make_large_answer(void) {
  int head = sprintf(large, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", LARGE);
  memset(large + head, 'x', LARGE);
  large_length = (size_t)head + LARGE;
}

int main(int count, char **words) {
  if (count != 2) fail("usage: backend <port>");
  raise_file_limit();
  make_large_answer();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on(atoi(words[1]));
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  say("ready");
  struct epoll_event events[512];
  for (;;) {
    int found = epoll_wait(epoll, events, 512, -1);
    for (int at = 0; at < found; at++) {
      struct connection *connection = events[at].data.ptr;
      if (connection == NULL) accept_all(listener);
      else if (!serve(connection, events[at].events)) drop(connection);
    }
  }
}
