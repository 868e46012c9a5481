# Runs a scenario where it can do no harm: in mount and network namespaces of its own, on copies of what it touches.
#   isolated.sh SCENARIO INTERPRETER
# Everything that is written is in memory and gone with the last process; the network has nothing but a loopback device.
set -e
mount --make-rprivate /
work=/mnt
mount -t tmpfs -o size=200m,mode=755 scenario $work
over() { # a directory of the system: what is written to it lies above
  mkdir -p "$work/upper$1" "$work/work$1"
  mount -t overlay -o "lowerdir=$1,upperdir=$work/upper$1,workdir=$work/work$1" above "$1"
}
fresh() { # one of our own, made before it is put there
  mkdir -p "$work/fresh$1"
  chmod "$2" "$work/fresh$1"
}
mkdir "$work/scenario"
cp "$1" "$work/scenario/"
for directory in /home /var/log /var/spool /srv; do fresh $directory 755; done
for directory in /tmp /var/tmp /dev/shm; do fresh $directory 1777; done
mkdir -p "$work/fresh/home/ann/.ssh" "$work/fresh/home/ann/.aws" "$work/fresh/var/log/audit" \
  "$work/fresh/var/spool/cron/crontabs"
for log in auth.log syslog kern.log wtmp btmp lastlog app.log app.log.1; do
  echo "one line" >>"$work/fresh/var/log/$log"
done
echo "not a real key" >>"$work/fresh/home/ann/.ssh/id_ed25519"
echo "[default]" >>"$work/fresh/home/ann/.aws/credentials"
echo "ls" >>"$work/fresh/home/ann/.bash_history"
echo "# of ann" >>"$work/fresh/home/ann/.bashrc"
chown -R 65534:65534 "$work/fresh/home/ann"
for directory in /home /var/log /var/spool /srv /tmp /var/tmp /dev/shm; do
  mount --bind "$work/fresh$directory" "$directory"
done
for directory in /etc /usr/sbin /usr/bin; do over "$directory"; done
mkdir -p /etc/cron.d /etc/sudoers.d /etc/udev/rules.d /etc/ssh /etc/profile.d
ip link set lo up
cd /home/ann
scenario="$work/scenario/${1##*/}"
export HOME=/home/ann
exec "$2" "$scenario"
