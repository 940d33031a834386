#!/usr/bin/env bash
# Turns the namespaces it is started in into a host: a name, a home, /tmp and /dev/shm of its own, what all hosts
# share under /srv, and an SSH server. Its process 1 is that server; all that runs on the host ends with it.
#   host.sh NAME KEYS SHARED CHECKOUT
set -euo pipefail
name=$1 keys=$2 shared=$3 checkout=$4

hostname "$name"
mount --make-rprivate /
mount -t tmpfs tmpfs /dev/shm
mount --bind "$shared" /srv
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd /run/etc /run/tmp
mkdir -m 700 /run/root /run/root/.ssh
install -m 600 "$keys/host" /run/etc/host_key
install -m 600 "$keys/user.pub" /run/root/.ssh/authorized_keys
sed 's|^root:.*|root:x:0:0:root:/run/root:/bin/bash|' /etc/passwd > /run/etc/passwd
# As Debian's installer leaves it: a host's own name means itself alone, and is no address that others could use.
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" > /run/etc/hosts
echo "export PYTHONPATH=$checkout" > /run/root/.bashrc
for file in passwd hosts; do mount --bind "/run/etc/$file" "/etc/$file"; done
mount --bind /tmp /run/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp
if [[ $checkout == /tmp/* ]]; then
    mkdir -p "$checkout"
    mount --bind "/run/tmp/${checkout#/tmp/}" "$checkout"
fi
umount /run/tmp

cd /
exec env -i PATH="$PATH" HOME=/run/root /usr/sbin/sshd -D -e -f /dev/null -h /run/etc/host_key \
    -o PidFile=none -o PermitRootLogin=prohibit-password -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \
    -o MaxStartups=100 -o MaxSessions=100
