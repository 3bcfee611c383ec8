/*
 * Three loads of WebSocket connections that send one message at a time and check every byte of its echo:
 *
 *   websocket_load echo <port> <connections> <bytes> <seconds to warm up> <seconds>    messages over connections that stay
 *   websocket_load connect <port> <at once> <bytes> <seconds to warm up> <seconds>     handshake, one message, close; again
 *   websocket_load rest <port> <connections> <bytes>    one message on each, then "ready"; rests until its input ends
 *
 * Anything but what is expected ends it with an error: figures of anything else would prove nothing.
 */
#include "loop.h"

static const char handshake[] =
    "GET /socket HTTP/1.1\r\nHost: bench.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
/* Going away, masked. */
static const uint8_t close_frame[] = {0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x03 ^ 0x37, 0xe9 ^ 0xfa};

enum state { CONNECTING, SHAKING_HANDS, ECHOING, CLOSING };

struct connection {
  int fd;
  enum state state;
  int64_t began;
  /* How much of the message is sent, of its echo is there, or of the empty line that ends the handshake has been seen. */
  size_t sent;
  size_t received;
};

static enum { ECHO, CONNECT, REST } load;
static int epoll, port;
static unsigned resting;
static uint8_t *message, *expected;
static size_t message_length, expected_length;
static struct phases phases;
static uint8_t input[256 * 1024];

/* The head of a frame with a binary message. Returns its length. */
static size_t frame_head(uint8_t *into, size_t length, bool is_masked) {
  unsigned flag = is_masked ? 0x80 : 0;
  into[0] = 0x82;
  size_t size_bytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  into[1] = flag | (size_bytes == 0 ? length : size_bytes == 2 ? 126 : 127);
  for (size_t at = 0; at < size_bytes; at++) into[2 + at] = length >> 8 * (size_bytes - 1 - at);
  if (is_masked) memcpy(into + 2 + size_bytes, mask, 4);
  return 2 + size_bytes + (is_masked ? 4 : 0);
}

/* All connections send the same message: nothing is made while it is measured. */
static void make_message(size_t length) {
  message = malloc(length + 14);
  expected = malloc(length + 14);
  size_t head = frame_head(message, length, true), echo_head = frame_head(expected, length, false);
  for (size_t at = 0; at < length; at++) {
    uint8_t byte = at * 31 + at / 251;
    message[head + at] = byte ^ mask[at & 3];
    expected[echo_head + at] = byte;
  }
  message_length = head + length;
  expected_length = echo_head + length;
}

static void open_connection(struct connection *connection) {
  *connection = (struct connection){.fd = start_connection(port), .state = CONNECTING, .began = now()};
  watch(epoll, EPOLL_CTL_ADD, connection->fd, EPOLLOUT, connection);
}

/* Sends what is left of the message, as far as the socket takes it. */
static void send_message(struct connection *connection) {
  ssize_t sent = send(connection->fd, message + connection->sent, message_length - connection->sent, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("send");
  bool is_first = connection->sent == 0;
  connection->sent += sent < 0 ? 0 : (size_t)sent;
  bool has_all = connection->sent == message_length;
  if (is_first && has_all) return;
  watch(epoll, EPOLL_CTL_MOD, connection->fd, has_all ? EPOLLIN : EPOLLIN | EPOLLOUT, connection);
}

static void begin_message(struct connection *connection) {
  connection->state = ECHOING;
  connection->sent = connection->received = 0;
  if (load == ECHO) connection->began = now();
  send_message(connection);
}

static void shake_hands(struct connection *connection) {
  connection->state = SHAKING_HANDS;
  watch(epoll, EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
  ssize_t length = sizeof handshake - 1;
  if (send(connection->fd, handshake, (size_t)length, MSG_NOSIGNAL) != length) fail("send");
}

/* Nothing comes after the head before the first message was sent. */
static void read_handshake(struct connection *connection, const uint8_t *bytes, size_t length) {
  if (connection->received == 0 && (length < 13 || memcmp(bytes, "HTTP/1.1 101 ", 13) != 0)) {
    fprintf(stderr, "%.*s\n", (int)(length < 60 ? length : 60), bytes);
    fail("a handshake");
  }
  connection->received += length;
  if (length >= 4 && memcmp(bytes + length - 4, "\r\n\r\n", 4) == 0) begin_message(connection);
}

static void end_message(struct connection *connection) {
  if (load == ECHO) {
    count_round(&phases, connection->began);
    begin_message(connection);
  } else if (load == REST) {
    resting++;
  } else {
    connection->state = CLOSING;
    if (send(connection->fd, close_frame, sizeof close_frame, MSG_NOSIGNAL) != sizeof close_frame) fail("send");
  }
}

static void read_echo(struct connection *connection, const uint8_t *bytes, size_t length) {
  if (connection->received + length > expected_length) fail("more than an echo");
  if (memcmp(bytes, expected + connection->received, length) != 0) fail("an echo");
  connection->received += length;
  if (connection->received == expected_length) end_message(connection);
}

static void receive(struct connection *connection) {
  ssize_t length = recv(connection->fd, input, sizeof input, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (connection->state == CLOSING && length >= 0) {
    if (length > 0) return;
    close(connection->fd);
    count_round(&phases, connection->began);
    open_connection(connection);
    return;
  }
  if (length <= 0) fail("a connection that ended");
  if (connection->state == SHAKING_HANDS) read_handshake(connection, input, (size_t)length);
  else read_echo(connection, input, (size_t)length);
}

static void serve(struct connection *connection, uint32_t events) {
  if (events & EPOLLIN) receive(connection);
  else if ((events & EPOLLOUT) && connection->state == CONNECTING) shake_hands(connection);
  else if (events & EPOLLOUT) send_message(connection);
  else fail("a connection");
}

static void wait_for_some(int timeout) {
  struct epoll_event events[512];
  int found = epoll_wait(epoll, events, 512, timeout);
  for (int at = 0; at < found; at++) serve(events[at].data.ptr, events[at].events);
}

/* Opens them a few at a time, so that no queue of a listener overflows. */
static void rest(struct connection *connections, unsigned count) {
  for (unsigned opened = 0; resting < count; wait_for_some(10))
    for (; opened < count && opened < resting + 100; opened++) open_connection(&connections[opened]);
  say("ready");
  while (read(0, input, sizeof input) > 0) continue;
}

int main(int count, char **words) {
  if (count < 5) fail("usage: websocket_load echo|connect|rest <port> <connections> <bytes> [<warm up> <seconds>]");
  load = strcmp(words[1], "echo") == 0 ? ECHO : strcmp(words[1], "connect") == 0 ? CONNECT : REST;
  raise_file_limit();
  port = atoi(words[2]);
  unsigned connections = (unsigned)atoi(words[3]);
  make_message((size_t)atol(words[4]));
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct connection *all = calloc(connections, sizeof *all);
  if (load == REST) {
    rest(all, connections);
    return 0;
  }
  for (unsigned at = 0; at < connections; at++) open_connection(&all[at]);
  begin_phases(&phases, atof(words[5]), atof(words[6]));
  while (!is_over(&phases)) wait_for_some(10);
}
