"""The systemd unit (systemd.service(5), systemd.exec(5)).

Not restricted: `ProtectProc`, `ProcSubset`, `PrivateUsers` and `PrivatePIDs` would hide what is watched,
`ProtectKernelTunables` what programs are attached by, and a filter of system calls would forbid bpf(2).
"""

from __future__ import annotations

import shlex

from kernscope.detector.service.privileges import needed_capabilities

__all__ = ["unit_text"]


def unit_text(command: list[str], config: str, capabilities: set[str] | None = None) -> str:
    """A unit that runs `COMMAND detect run --config CONFIG`; `capabilities` are those at the start."""
    line = " ".join(shlex.quote(word) for word in [*command, "detect", "run", "--config", config])
    found = sorted(
        capabilities if capabilities is not None else needed_capabilities({"kill", "run", "block"})
    )
    return _UNIT.format(command=line.replace("%", "%%"), capabilities=" ".join([*found, "CAP_SETPCAP"]))


_UNIT = """\
[Unit]
Description=Kernscope intrusion detection
Documentation=man:kernscope(1)
After=local-fs.target systemd-sysctl.service
# Alerts that a webhook takes wait on disk until the network is there.

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2s
# The main process ends reactions in order; the watchdog of stopped processes outlives it.
KillMode=mixed
TimeoutStopSec=20s
OOMScoreAdjust=-500
MemoryMax=400M

CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
StateDirectory=kernscope
StateDirectoryMode=0700
LogsDirectory=kernscope
LogsDirectoryMode=0700
CacheDirectory=kernscope
Environment=XDG_CACHE_HOME=/var/cache
UMask=0077
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
LimitMEMLOCK=infinity
# Older kernels count programs and maps as locked memory. Sinks that write elsewhere need ReadWritePaths=.

[Install]
WantedBy=multi-user.target
"""
