# http.pl: answers every request on 127.0.0.1:$PORT with 200, one connection after another.
use strict;
use warnings;
use Socket;

socket my $server, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
setsockopt $server, SOL_SOCKET, SO_REUSEADDR, 1 or die "setsockopt: $!";
bind $server, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK) or die "bind: $!";
listen $server, 16 or die "listen: $!";

while (accept my $client, $server) {
  my $request = '';
  1 while $request !~ /\r\n\r\n/ && sysread $client, $request, 4096, length $request;
  syswrite $client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  close $client;
}
