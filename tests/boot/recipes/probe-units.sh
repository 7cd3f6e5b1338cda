#!/bin/sh
exec > /dev/console 2>&1
for unit in basic.target systemd-journald.service systemd-udevd.service dbus.socket; do
    echo "guest: $unit $(systemctl is-active $unit)"
done
while read -r device path rest; do
    [ "$path" != / ] || echo "guest: root $device $rest"
done < /proc/mounts
while read -r module rest; do
    echo "guest: module $module"
done < /proc/modules
echo "guest: done"
systemctl poweroff --force --force
