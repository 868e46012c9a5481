from made_events import call, mode, opened, placed, started, wrote
from rule_cases import Cases

__all__ = ["CASES"]

_ROOT_SHELL = "bash -c x"

CASES: Cases = {
    "Scheduled job written": (
        [
            wrote("/etc/cron.d/update", "bash x.sh"),
            wrote("/var/spool/cron/crontabs/root", "python3 x.py"),
            placed("/tmp/x", "/etc/cron.hourly/x", "mv /tmp/x /etc/cron.hourly/x"),
        ],
        [
            wrote("/var/spool/cron/crontabs/ann", "crontab -e"),
            wrote("/etc/cron.d/e2scrub", "dpkg -i x.deb"),
            wrote("/etc/cron.d/backup", "vim /etc/cron.d/backup", exe="/usr/bin/vim.basic"),
            opened("/etc/crontab", "cat /etc/crontab"),
        ],
    ),
    "Scheduled jobs replaced from standard input": (
        [started("crontab -"), started("crontab /tmp/c")],
        [started("crontab -e"), started("crontab -l")],
    ),
    "System service written": (
        [
            wrote("/etc/systemd/system/x.service", "bash x.sh"),
            wrote("/etc/init.d/x", "python3 x.py"),
            wrote("/etc/rc.local", "tee -a /etc/rc.local"),
        ],
        [
            wrote("/etc/systemd/system/x.service", "cp x.service /etc/systemd/system/"),
            placed("/etc/systemd/system/a", "/etc/systemd/system/b", "systemctl enable x"),
            wrote("/usr/lib/systemd/system/x.service", "dpkg --unpack x.deb"),
            wrote("/etc/systemd/system/x.service.d/override.conf", "nano x"),
        ],
    ),
    "System service put into place from a temporary directory": (
        [wrote("/etc/systemd/system/x.service", "cp /tmp/x.service /etc/systemd/system/")],
        [wrote("/etc/systemd/system/x.service", "cp deploy/x.service /etc/systemd/system/")],
    ),
    "User service or autostart entry written": (
        [wrote("/home/ann/.config/autostart/x.desktop", "sh x.sh", uid=1000)],
        [wrote("/home/ann/.config/autostart/x.desktop", "gnome-tweaks", uid=1000)],
    ),
    "Start file of all shells written": (
        [wrote("/etc/profile.d/x.sh", "bash x.sh"), wrote("/etc/update-motd.d/99-x", "python3 x.py")],
        [wrote("/etc/profile.d/x.sh", "dpkg -i x.deb"), wrote("/etc/environment", "nano /etc/environment")],
    ),
    "Start file of a user's shell written": (
        [wrote("/root/.bashrc", "bash -c x"), wrote("/home/ann/.profile", "python3 x.py", uid=1000)],
        [
            wrote("/home/ann/.bashrc", "vim .bashrc", exe="/usr/bin/vim.basic", uid=1000),
            wrote("/home/ann/.bashrc", "useradd -m ann"),
            opened("/root/.bashrc", "bash"),
        ],
    ),
    "Keys for logging in added": (
        [
            wrote("/root/.ssh/authorized_keys", "bash -c x"),
            placed("/tmp/k", "/home/ann/.ssh/authorized_keys", "mv a b"),
        ],
        [
            opened("/root/.ssh/authorized_keys", "sshd"),
            wrote("/root/.ssh/authorized_keys", "nano x"),
            wrote("/root/.ssh/known_hosts", "ssh x"),
        ],
    ),
    "Library loaded into all programs": (
        [wrote("/etc/ld.so.preload", "bash -c x"), wrote("/etc/ld.so.preload", "nano x")],
        [opened("/etc/ld.so.preload", "ls"), wrote("/etc/ld.so.cache", "ldconfig", exe="/usr/sbin/ldconfig")],
    ),
    "Search path of libraries changed": (
        [wrote("/etc/ld.so.conf.d/x.conf", "bash -c x")],
        [wrote("/etc/ld.so.conf.d/cuda.conf", "dpkg -i cuda.deb")],
    ),
    "Login checks changed": (
        [
            wrote("/etc/pam.d/sshd", "bash -c x"),
            placed("/tmp/p.so", "/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "mv a b"),
        ],
        [
            wrote("/etc/pam.d/common-auth", "pam-auth-update", exe="/usr/bin/perl", parents="sh dpkg"),
            opened("/etc/pam.d/sshd", "sshd"),
            wrote("/etc/security/limits.d/90-files.conf", "python3 set_up.py"),
        ],
    ),
    "SSH server's settings changed": (
        [wrote("/etc/ssh/sshd_config", "bash -c x")],
        [
            wrote("/etc/ssh/sshd_config", "vim x", exe="/usr/bin/vim.basic"),
            opened("/etc/ssh/sshd_config", "sshd"),
        ],
    ),
    "Rights of sudo changed": (
        [wrote("/etc/sudoers.d/ann", "bash -c x"), wrote("/etc/sudoers", "nano /etc/sudoers")],
        [
            wrote("/etc/sudoers.tmp", "visudo", exe="/usr/sbin/visudo"),
            wrote("/etc/sudoers.d/x", "dpkg -i x.deb"),
            wrote("/etc/sudoers", "nano /etc/sudoers", event={"proc.tty": 34816}),
        ],
    ),
    "Account files written directly": (
        [wrote("/etc/passwd", "bash -c x"), placed("/tmp/s", "/etc/shadow", "mv /tmp/s /etc/shadow")],
        [
            wrote("/etc/passwd", "useradd x", exe="/usr/sbin/useradd"),
            placed("/etc/nshadow", "/etc/shadow", "passwd ann"),
            opened("/etc/passwd", "ls -l"),
        ],
    ),
    "Account with root's rights made": (
        [started("useradd -o -u 0 toor"), started("usermod -aG sudo eve"), started("passwd -d root")],
        [started("usermod -aG audio ann"), started("usermod -s /bin/zsh ann"), started("passwd ann")],
    ),
    "Account made": (
        [started("useradd -m eve")],
        [
            started("useradd --system x", parents="sh dpkg"),
            started("useradd -D"),
            started("adduser --system x"),
        ],
    ),
    "Setuid bit set": (
        [
            mode("/tmp/sh", "S_ISUID|S_IRUSR|S_IXUSR", "chmod u+s /tmp/sh"),
            mode("/usr/local/bin/x", "S_ISUID|S_IXUSR", "python3 x.py"),
        ],
        [
            mode("/usr/bin/sudo", "S_ISUID|S_IXUSR", "dpkg --unpack sudo.deb"),
            mode("/srv/root/usr/bin/su", "S_ISUID|S_IXUSR", "tar xf rootfs.tar"),
            mode("/tmp/x", "S_IRUSR|S_IXUSR", "chmod +x /tmp/x"),
        ],
    ),
    "Capabilities given to a program": (
        [
            started("setcap cap_setuid+ep /tmp/python3"),
            call(
                "setxattr",
                "python3 x.py",
                event={"evt.arg.name": "security.capability", "fs.path.name": "/tmp/x"},
            ),
        ],
        [
            started("setcap cap_net_bind_service=+ep /opt/web"),
            call("setxattr", "dpkg -i x.deb", event={"evt.arg.name": "security.capability"}),
            call("setxattr", "python3 x.py", event={"evt.arg.name": "user.comment"}),
        ],
    ),
    "Hook that runs as root written": (
        [
            wrote("/etc/udev/rules.d/99-x.rules", "bash -c x"),
            wrote("/etc/apt/apt.conf.d/99x", "python3 x.py"),
            wrote("/etc/udev/rules.d/99-x.rules", "cp /tmp/x.rules /etc/udev/rules.d"),
        ],
        [
            wrote("/etc/udev/rules.d/99-x.rules", "cp x.rules /etc/udev/rules.d"),
            wrote("/run/udev/rules.d/1.rules", "systemd", exe="/usr/lib/systemd/systemd-udevd"),
        ],
    ),
    "Kernel module loaded by an unusual program": (
        [
            call("finit_module", "loader", exe="/tmp/loader"),
            call("init_module", "python3 x.py", -1),
            started("insmod /tmp/x.ko", exe="/usr/bin/kmod"),
        ],
        [
            call("finit_module", "modprobe nf_tables", exe="/usr/bin/kmod"),
            started("modprobe nf_tables", exe="/usr/bin/kmod"),
            started("insmod /lib/modules/6.1/x.ko", exe="/usr/bin/kmod"),
        ],
    ),
    "Script put into a web site by its server": (
        [wrote("/var/www/html/uploads/x.php", "php-fpm8.2", uid=33, user="www-data", parents="php-fpm8.2")],
        [
            wrote("/var/www/html/x.php", "vim x.php", exe="/usr/bin/vim.basic"),
            wrote("/var/www/html/cache/x.php", "php-fpm8.2", uid=33, user="www-data", parents="php-fpm8.2"),
            wrote("/var/www/html/uploads/x.png", "php-fpm8.2", uid=33, user="www-data", parents="php-fpm8.2"),
        ],
    ),
    "Handler of programs registered": (
        [wrote("/proc/sys/fs/binfmt_misc/register", "bash -c x")],
        [wrote("/proc/sys/fs/binfmt_misc/register", "systemd-binfmt", exe="/usr/lib/systemd/systemd-binfmt")],
    ),
    "Code that every Python program loads written": (
        [
            wrote("/usr/lib/python3/dist-packages/x.pth", "bash x.sh"),
            wrote("/usr/local/lib/python3.11/site-packages/sitecustomize.py", "perl x.pl"),
            placed("/tmp/x", "/usr/lib/python3/dist-packages/x.pth", "mv /tmp/x x.pth"),
        ],
        [
            wrote("/home/ann/v/lib/python3.11/site-packages/_x.pth", "python3 -m pip install -e .", uid=1000),
            wrote(
                "/home/ann/v/lib/python3.11/site-packages/_v.pth", "uv sync", exe="/home/ann/.local/bin/uv"
            ),
            wrote("/home/ann/model.pth", "python3 train.py", uid=1000),
        ],
    ),
    "Hook of a repository written": (
        [
            wrote("/home/ann/w/.git/hooks/pre-commit", "bash x.sh"),
            started("git config --global core.hooksPath /tmp/x"),
        ],
        [
            wrote("/home/ann/w/.git/hooks/pre-commit.sample", "cp x y", uid=1000),
            wrote("/home/ann/w/.git/hooks/pre-commit", "git init", uid=1000),
            wrote("/home/ann/w/.git/hooks/pre-commit", "vim pre-commit", uid=1000, exe="/usr/bin/vim.basic"),
            wrote("/home/ann/w/.git/hooks/pre-commit", "python3 -m pre_commit install", uid=1000),
        ],
    ),
    "Key for logging in added by its user": (
        [wrote("/home/ann/.ssh/authorized_keys", "bash -c x", uid=1000, user_homedir="/home/ann")],
        [
            wrote(
                "/home/ann/.ssh/authorized_keys",
                "vim x",
                uid=1000,
                exe="/usr/bin/vim.basic",
                user_homedir="/home/ann",
            ),
            wrote("/home/ann/.ssh/known_hosts", "bash -c x", uid=1000, user_homedir="/home/ann"),
        ],
    ),
    "What starts the system changed": (
        [
            wrote("/boot/grub/grub.cfg", "bash -c x"),
            placed("/tmp/x", "/boot/initrd.img", "mv /tmp/x /boot/initrd.img"),
            wrote("/etc/default/grub", "python3 x.py"),
        ],
        [
            wrote(
                "/boot/grub/grub.cfg.new", "grub-mkconfig /usr/sbin/grub-mkconfig -o x", exe="/usr/bin/dash"
            ),
            wrote("/boot/vmlinuz-6.1", "dpkg -i x.deb"),
            wrote("/etc/default/grub", "vim x", exe="/usr/bin/vim.basic"),
        ],
    ),
    "Program of the system replaced": (
        [
            wrote("/usr/bin/lsof", "cp x /usr/bin/lsof", event={"evt.is_open_create": False}),
            placed("/usr/bin/top", "/usr/lib/.t", "mv /usr/bin/top /usr/lib/.t"),
            placed("/usr/bin/ls", "/usr/bin/.ls", "mv /usr/bin/ls /usr/bin/.ls"),
            placed("/tmp/ps", "/usr/bin/ps", "mv /tmp/ps /usr/bin/ps"),
        ],
        [
            wrote("/usr/bin/lsof.dpkg-new", "dpkg --unpack x.deb", event={"evt.is_open_create": False}),
            placed("/usr/bin/x", "/usr/bin/x.old", "mv /usr/bin/x /usr/bin/x.old"),
            wrote("/usr/local/bin/x", "cp x /usr/local/bin", event={"evt.is_open_create": False}),
        ],
    ),
    "Program put among those of the system": (
        [
            wrote("/usr/bin/zxqwv", "cp x /usr/bin/zxqwv"),
            wrote("/usr/lib/cups/kupdate", "python3 x.py", event={"evt.is_open_exec": True}),
        ],
        [
            wrote("/usr/bin/x", "install x /usr/bin", parents="make"),
            wrote("/usr/lib/x/data", "python3 x.py", event={"evt.is_open_exec": False}),
            wrote("/usr/local/bin/x", "cp x /usr/local/bin"),
        ],
    ),
}
