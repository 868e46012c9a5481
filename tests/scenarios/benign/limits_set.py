# what: limits are set below the settings of logging in, by a new file that is renamed
import os

os.makedirs("/etc/security/limits.d", exist_ok=True)
with open("/etc/security/limits.d/90-files.conf.new", "w") as file:
    file.write("* soft nofile 4096\n")
os.rename("/etc/security/limits.d/90-files.conf.new", "/etc/security/limits.d/90-files.conf")
