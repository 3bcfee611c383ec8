# program.pl WAY VARIANT: a service of the random walk. It holds a lock, so that a second one of the same instance shows, has a
# child that has left its session and holds the lock as well, and answers /ready and /live on its port.
# WAY: steady | stubborn (takes no SIGTERM) | brief (exits with code 3) | deaf (is never ready)
use strict;
use warnings;
use Socket;
use Fcntl ':flock';
my ($way) = @ARGV;
my $home = $ENV{WALK_HOME};
my $self = "$ENV{DAVIT_SERVICE}.$ENV{DAVIT_INSTANCE}";
$| = 1;
$SIG{USR1} = sub { exit 0 };
$SIG{USR2} = sub { exit 7 };
$SIG{HUP} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = 'IGNORE' if $way eq 'stubborn';
$SIG{CHLD} = 'IGNORE';

sub violation {
  open my $file, '>>', "$home/violations" or die;
  print $file "$self (release $ENV{DAVIT_RELEASE}, pid $$): @_\n";
  close $file;
}

exit 3 if $way eq 'brief';
exit 5 if -e "$home/marks/$self.crash";
# What is opened from here on stays open in the child.
$^F = 100;
open my $lock, '>>', "$home/locks/$self" or die;
flock($lock, LOCK_EX | LOCK_NB) or violation('another one of the same instance runs');
$^F = 2;
if (!fork) { $SIG{HUP} = 'DEFAULT'; exec 'setsid', 'sleep', '100000' }
socket(my $server, PF_INET, SOCK_STREAM, getprotobyname('tcp')) or die;
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
bind($server, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or violation("port $ENV{PORT} is taken");
listen($server, 64) or die;
print "ready\n" if $way ne 'deaf';

while (1) {
  accept(my $client, $server) or next;
  sysread($client, my $request, 4096);
  my ($kind) = ($request // '') =~ m{^GET /(\w+)};
  my $sick = '';
  if (open my $mark, '<', "$home/marks/$self." . ($kind // '')) { $sick = <$mark> // ''; close $mark }
  my $bad = $sick eq $$ || ($way eq 'deaf' && $kind eq 'ready');
  syswrite($client, 'HTTP/1.1 ' . ($bad ? '503 Bad' : '200 OK') . "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  close $client;
}
