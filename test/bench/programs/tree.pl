# tree.pl KIND PATH: starts what is hard to stop, makes the file PATH.ready, and waits. All of it ends when the file
# PATH.wanted is gone, so that the bench can clear away what its contenders leave. Its kinds:
#   ignores-term   a child in the same group that takes no notice of SIGTERM
#   setsid-child   a child in a session of its own
#   double-fork    a daemon: two forks, a session of its own, another parent, an empty environment
#   fork-chaser    a process in a session of its own that starts its successor and ends, for ever; PATH.beat grows with each
use strict;
use warnings;
use POSIX qw(setsid);
use Time::HiRes qw(sleep);

my ($kind, $path) = @ARGV;

sub ready { open my $file, '>', "$path.ready" or die; close $file }
sub stay { sleep 0.1 while -e "$path.wanted"; exit 0 }

if ($kind eq 'hidden') { ready; stay }

sub chase {
  $SIG{TERM} = 'IGNORE';
  ready;
  open my $beat, '>>', "$path.beat" or die;
  while (-e "$path.wanted") {
    syswrite $beat, '.';
    my $pid = fork;
    exit 0 if $pid;
  }
  exit 0;
}

if (fork == 0) {
  if ($kind eq 'ignores-term') { $SIG{TERM} = 'IGNORE'; ready; stay }
  setsid;
  if ($kind eq 'setsid-child') { ready; stay }
  if ($kind eq 'fork-chaser') { chase }
  exit 0 if fork;
  %ENV = ();
  chdir '/';
  exec $^X, $0, 'hidden', $path;
}
$SIG{CHLD} = 'IGNORE';
stay;
