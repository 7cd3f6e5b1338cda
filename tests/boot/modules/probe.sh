# Loads modules of the tree and of an extension; the shell of the recipe reads it.
modprobe() { /sbin/modprobe -S 1.2.3 "$@" && busybox grep "^$name " /proc/modules | busybox cut -d ' ' -f 1; }
name=virtio_net && echo "guest: tree $(modprobe virtio-net)"
name=zram && echo "guest: extension $(modprobe --dirname /ext zram)"
busybox dmesg | busybox grep -c 'virtio_net: .*signature' | busybox sed 's/^/guest: unsigned /'
echo "guest: done"
busybox poweroff -f
