"""The rows of `fields.FIELDS`: name, type, flags, documentation. The meaning is Falco's (falco.org, "Supported
Fields"), the words are ours.
"""

__all__ = ["ROWS"]

ROWS = """
evt.num number least=1 the event's number, from 1
evt.time text - time of day, with nanoseconds
evt.time.s text - time of day, without fractions
evt.time.iso8601 text - date and time in ISO 8601, UTC
evt.datetime text - date and time, with nanoseconds
evt.datetime.s text - date and time, without fractions
evt.rawtime number least=0 nanoseconds since 1970
evt.rawtime.s number least=0 seconds since 1970
evt.rawtime.ns number least=0 the fraction of the second, in nanoseconds
evt.reltime number least=0 nanoseconds since watching began
evt.reltime.s number least=0 seconds since watching began
evt.reltime.ns number least=0 the fraction of the second since watching began, in nanoseconds
evt.source text constant=syscall where the event comes from
evt.hostname text - the machine's name
evt.pluginname text plugins the plug-in that made the event
evt.plugininfo text plugins the plug-in's summary of the event
evt.is_async bool constant=false whether the event is asynchronous
evt.asynctype text plugins the kind of an asynchronous event
evt.latency number least=0 nanoseconds that the call took
evt.latency.s number least=0 whole seconds that the call took
evt.latency.ns number least=0 the fraction of the call's time, in nanoseconds
evt.latency.human text - how long the call took, for people
evt.deltatime number least=0 nanoseconds since the event before
evt.deltatime.s number least=0 whole seconds since the event before
evt.deltatime.ns number least=0 the fraction since the event before, in nanoseconds
evt.dir text constant=< direction; an event is made where a call returns, so always `<`
evt.type text - the system call's name, or the event's
evt.type.is number dotted,least=0 1 for events of the type that the name ends with, otherwise 0
syscall.type text - the system call's name
evt.category text - what the call is about: file, net, process, memory, …
evt.cpu number least=0 the CPU
evt.args text - all arguments as one text
evt.arg any dotted an argument by its name or number, as text: `evt.arg.flags`, `evt.arg[0]`
evt.rawarg any dotted an argument by its name, as it is
evt.info text - all arguments as one text
evt.buffer bytes content what was read or written
evt.buflen number least=0 how many bytes were to be read or written
evt.res text - SUCCESS, or the name of the error
evt.rawres number - the returned number; errors are negative
evt.failed bool - whether the call failed
evt.is_io bool - whether the call reads or writes
evt.is_io_read bool - whether the call reads
evt.is_io_write bool - whether the call writes
evt.io_dir text - `r` for calls that read, `w` for calls that write
evt.is_wait bool - whether the call waits
evt.wait_latency number least=0 nanoseconds that a waiting call took
evt.is_syslog bool content whether it is a write to /dev/log
evt.count number least=1 always 1
evt.count.error number least=0 1 where the call failed
evt.count.exit number least=1 always 1
evt.around text plugins whether the event is near a time
evt.abspath path dotted the absolute path of a call that has one
evt.is_open_read bool - whether a file was opened for reading
evt.is_open_write bool - whether a file was opened for writing
evt.is_open_exec bool - whether a file was created that may be executed
evt.is_open_create bool - whether a file was created
fd.num number - the descriptor's number; negative where opening failed
fd.type text - file, directory, ipv4, ipv6, unix, pipe, event, signalfd, eventpoll, inotify, memfd
fd.typechar text - the type as a character: f 4 6 u p e s l i b r m o
fd.types list optional the types of all descriptors of the process, or of one
fd.name path - the file's path, or the connection
fd.nameraw path - the file's path as the call had it
fd.directory path - the directory of the file
fd.filename text - the file's name without its directory
fd.ip address several the address of either side
fd.cip address - the client's address
fd.sip address - the server's address
fd.lip address - the local address
fd.rip address - the other side's address
fd.port port several the port of either side
fd.cport port - the client's port
fd.sport port - the server's port
fd.lport port - the local port
fd.rport port - the other side's port
fd.l4proto text - tcp, udp, icmp or raw
fd.sockfamily text - ip or unix
fd.is_server bool - whether the process is the server of the connection
fd.uid text - descriptor and thread as one text
fd.containername text runtime container and name as one text
fd.containerdirectory text runtime container and directory as one text
fd.proto text several the name of either side's port
fd.cproto text - the name of the client's port
fd.sproto text - the name of the server's port
fd.lproto text - the name of the local port
fd.rproto text - the name of the other side's port
fd.net network several the network of either side
fd.cnet network - the client's network
fd.snet network - the server's network
fd.lnet network - the local network
fd.rnet network - the other side's network
fd.connected bool - whether the socket is connected
fd.name_changed bool - whether the event changed the descriptor's name
fd.cip.name text names the name of the client's address
fd.sip.name text names the name of the server's address
fd.lip.name text names the name of the local address
fd.rip.name text names the name of the other side's address
fd.dev number least=0 the file's device
fd.dev.major number least=0 the device's major number
fd.dev.minor number least=0 the device's minor number
fd.ino number least=0 the file's inode
fs.path.name path - the path that a call works on, absolute
fs.path.nameraw path - the path as the call had it
fs.path.source path - the path a call moves, copies or links from, absolute
fs.path.sourceraw path - the same as the call had it
fs.path.target path - the path a call moves, copies or links to, absolute
fs.path.targetraw path - the same as the call had it
proc.exe text - the first word of the command line
proc.pexe text - the parent's first word
proc.aexe text optional,several an ancestor's first word; without a number, of any ancestor
proc.exepath path - the executable's path
proc.pexepath path - the parent's executable
proc.aexepath path optional,several an ancestor's executable
proc.name text - the process's name, at most 15 bytes
proc.pname text - the parent's name
proc.aname text optional,several an ancestor's name; 1 is the parent; without a number, of any ancestor
proc.args words - the command line without its first word
proc.cmdline words - name and arguments
proc.pcmdline words - the parent's name and arguments
proc.acmdline words optional,several an ancestor's name and arguments
proc.argv text required a word of the command line; 0 is the program as it was called
proc.cmdnargs number least=0 how many arguments there are
proc.cmdlenargs number least=0 how many characters the arguments have
proc.exeline words - first word and arguments
proc.env words optional the environment, or one variable
proc.aenv words optional,several an ancestor's environment
proc.cwd path - the working directory
proc.loginshellid number least=0 the oldest shell among the ancestors
proc.tty number least=0 the controlling terminal; 0 for none
proc.pid number least=0 the process
proc.ppid number least=0 the parent
proc.apid number optional,several,least=0 an ancestor
proc.vpid number least=0 the process, as its own namespace numbers it
proc.pvpid number least=0 the parent, as its own namespace numbers it
proc.sid number least=0 the session
proc.sname text - the name of the session's leader
proc.sid.exe text - the first word of the session's leader
proc.sid.exepath path - the executable of the session's leader
proc.pgid number least=0 the process group
proc.pgid.name text - the name of the process group's leader
proc.pgid.exe text - the first word of the process group's leader
proc.pgid.exepath path - the executable of the process group's leader
proc.vpgid number least=0 the process group, as its own namespace numbers it
proc.vpgid.name text - the name of the process group's leader
proc.vpgid.exe text - the first word of the process group's leader
proc.vpgid.exepath path - the executable of the process group's leader
proc.duration number least=0 nanoseconds since the process started
proc.ppid.duration number least=0 nanoseconds since the parent started
proc.pid.ts number least=0 when the process started, in nanoseconds since 1970
proc.ppid.ts number least=0 when the parent started, in nanoseconds since 1970
proc.euid number least=0 the effective user's number when the program was executed
proc.euid_before number least=0 the same of the program that the process, or who forked it, ran before
proc.is_exe_writable bool - whether the user may write the executable
proc.is_exe_upper_layer bool constant=false whether the executable lies in an overlay's upper layer
proc.is_exe_lower_layer bool constant=false whether the executable lies in an overlay's lower layer
proc.is_exe_from_memfd bool - whether the executable is a file in memory (memfd_create)
proc.is_sid_leader bool - whether the process leads its session
proc.is_pgid_leader bool - whether the process leads its process group
proc.is_vpgid_leader bool - whether the process leads its process group
proc.exe_ino number least=0 the executable's inode
proc.exe_ino.ctime number least=0 when the executable's inode changed, in nanoseconds since 1970
proc.exe_ino.mtime number least=0 when the executable was written, in nanoseconds since 1970
proc.exe_ino.ctime_duration_proc_start number - nanoseconds from that change to the start of the process
proc.exe_ino.ctime_duration_pidns_start number runtime nanoseconds from the namespace's start to that change
proc.pidns_init_start_ts number runtime when the namespace started
proc.is_container_healthcheck bool runtime whether the process is a container's health check
proc.is_container_liveness_probe bool runtime whether the process is a container's liveness probe
proc.is_container_readiness_probe bool runtime whether the process is a container's readiness probe
proc.fdopencount number least=0 open descriptors
proc.fdlimit number - the most descriptors
proc.fdusage number least=0 the share of descriptors in use
proc.vmsize number least=0 virtual memory, in KiB
proc.vmrss number least=0 resident memory, in KiB
proc.vmswap number least=0 swapped memory, in KiB
proc.nthreads number least=0 threads
proc.nchilds number least=0 threads without the first
proc.stdin.type text - the type of descriptor 0
proc.stdout.type text - the type of descriptor 1
proc.stderr.type text - the type of descriptor 2
proc.stdin.name path - what descriptor 0 is
proc.stdout.name path - what descriptor 1 is
proc.stderr.name path - what descriptor 2 is
thread.cap_permitted words - permitted capabilities
thread.cap_inheritable words - inheritable capabilities
thread.cap_effective words - effective capabilities
thread.pfmajor number least=0 page faults that needed a disk
thread.pfminor number least=0 page faults that needed none
thread.tid number least=0 the thread
thread.ismain bool - whether it is the process's first thread
thread.vtid number least=0 the thread, as its own namespace numbers it
thread.cgroups text - the control groups
thread.cgroup text dotted the control group of one subsystem
thread.vmsize number least=0 virtual memory, in KiB
thread.vmrss number least=0 resident memory, in KiB
user.uid number least=0 the user's number
user.name text - the user's name
user.homedir path - the user's home directory
user.shell path - the user's shell
user.loginuid number least=-1 the number of who logged in; -1 for nobody
user.loginname text - the name of who logged in
group.gid number least=0 the group's number
group.name text - the group's name
container.id text constant=host the container; always `host` on a plain host
container.full_id text runtime the container's whole number
container.name text constant=host the container's name; always `host` on a plain host
container.image text runtime the image
container.image.id text runtime the image's number
container.image.repository text runtime the image's repository
container.image.tag text runtime the image's tag
container.image.digest text runtime the image's digest
container.type text constant=host the runtime; always `host` on a plain host
container.privileged bool runtime whether the container is privileged
container.mounts text runtime all mounts
container.mount text required,runtime one mount
container.mount.source text required,runtime a mount's source
container.mount.dest text required,runtime a mount's place
container.mount.mode text required,runtime a mount's mode
container.mount.rdwr text required,runtime whether a mount may be written
container.mount.propagation text required,runtime a mount's propagation
container.healthcheck text runtime the health check
container.liveness_probe text runtime the liveness probe
container.readiness_probe text runtime the readiness probe
container.start_ts number runtime when the container started
container.duration number runtime nanoseconds since the container started
container.ip text runtime the container's address
container.cni.json text runtime what the network plug-in said
container.labels text runtime all labels
container.label text dotted,runtime one label
container.host_pid bool runtime whether it shares the host's processes
container.host_network bool runtime whether it shares the host's network
container.host_ipc bool runtime whether it shares the host's IPC
k8s.ns.name text kubernetes the namespace
k8s.pod.name text kubernetes the pod
k8s.pod.id text kubernetes the pod's number
k8s.pod.uid text kubernetes the pod's number
k8s.pod.sandbox_id text kubernetes the sandbox
k8s.pod.full_sandbox_id text kubernetes the sandbox's whole number
k8s.pod.label text dotted,kubernetes one label
k8s.pod.labels text kubernetes all labels
k8s.pod.ip text kubernetes the pod's address
k8s.pod.cni.json text kubernetes what the network plug-in said
k8s.rc.name text kubernetes the replication controller
k8s.svc.name text kubernetes the service
k8s.rs.name text kubernetes the replica set
k8s.deployment.name text kubernetes the deployment
log.message text logs what a program wrote to a log; Sigma rules ask for it
log.field any required,logs a field of a log's record, by its name there
rule.count number least=1 of a rule that counts: matches, different values, or how often the sequence was done
rule.distinct list - the different values that were seen last, at most 20
rule.steps list - the steps of a sequence: time, event, process, what it was about
rule.by text - what the matches have in common, as `by` says
rule.duration number least=0 nanoseconds from the first of the matches to the last
anomaly.score number least=0 how unusual what the process did is for its executable, 0 to 100; of the last minute
anomaly.reason text - what is unusual about it
window.calls number least=0 system calls of the process in the window
window.rate number least=0 the same per second
window.errors number least=0 system calls that failed in the window
window.error_share number least=0 the share that failed, in percent
window.forks number least=0 processes that it started in the window
window.files number least=0 different files in its events of the window, at most 1,000
window.ports number least=0 different addresses and ports in its events of the window, at most 1,000
window.top text - its most frequent system calls, with their shares
window.duration number least=0 the window's length, in nanoseconds
target.pid number least=0 the process that a call is done to: by `kill`, `ptrace`, `process_vm_readv` and such
target.name text - its name
target.exepath path - its executable's path
target.cmdline words - its name and arguments
watch.lost number least=1 records that were lost, in an event of the type `lost`
"""
