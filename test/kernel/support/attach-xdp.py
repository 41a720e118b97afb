# Attaches a program that passes every packet to a device as generic XDP, with no ELF and no library:
# bpf(2) loads `r0 = XDP_PASS; exit`, RTM_SETLINK with IFLA_XDP attaches it.
import ctypes, os, platform, socket, struct, sys

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
BPF_PROG_LOAD, BPF_PROG_TYPE_XDP = 5, 6
XDP_PASS, XDP_FLAGS_SKB_MODE = 2, 2
RTM_SETLINK, NLM_F_REQUEST, NLM_F_ACK = 19, 1, 4
IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS, NLA_F_NESTED = 43, 1, 3, 0x8000

code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, XDP_PASS, 0x95, 0, 0, 0))
licence = ctypes.create_string_buffer(b"GPL")
attributes = struct.pack("=IIQQ", BPF_PROG_TYPE_XDP, 2, ctypes.addressof(code), ctypes.addressof(licence))
attributes = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
libc = ctypes.CDLL(None, use_errno=True)
program = libc.syscall(BPF_SYSCALL, BPF_PROG_LOAD, attributes, 128)
if program < 0:
    sys.exit(f"bpf: {os.strerror(ctypes.get_errno())}")

xdp = struct.pack("=HHiHHI", 8, IFLA_XDP_FD, program, 8, IFLA_XDP_FLAGS, XDP_FLAGS_SKB_MODE)
link = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(sys.argv[1]), 0, 0)
link += struct.pack("=HH", 4 + len(xdp), IFLA_XDP | NLA_F_NESTED) + xdp
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
    netlink.send(struct.pack("=IHHII", 16 + len(link), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + link)
    error = struct.unpack_from("=i", netlink.recv(65536), 16)[0]
if error:
    sys.exit(f"RTM_SETLINK: {os.strerror(-error)}")
