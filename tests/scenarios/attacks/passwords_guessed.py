# what: passwords are tried with su
# rules: Passwords guessed with su or sudo
# needs: setpriv su
import subprocess

for password in ("a", "b", "c", "d", "e", "f", "g"):
    command = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "su",
        "root",
        "-c",
        "true",
    ]
    tried = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    tried.communicate(password.encode() + b"\n", timeout=8)
    assert tried.returncode
