# what: a tool for pages talks to a container runtime
# rules: Container runtime used by an unusual program
# needs: curl
import os
import socket
import subprocess

server = socket.socket(socket.AF_UNIX)
server.bind("/tmp/docker.sock")
server.listen()
subprocess.run(["curl", "-s", "-m", "1", "--unix-socket", "/tmp/docker.sock", "http://x/containers/json"])
os.unlink("/tmp/docker.sock")
