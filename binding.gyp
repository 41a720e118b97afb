{
  "targets": [
    {
      "target_name": "earshot",
      # Warnings are errors where this package is developed, not where a newer compiler builds it.
      "variables": {"strict%": "false"},
      "sources": [
        "native/addon.cc",
        "native/files/read.cc",
        "native/binding/arguments.cc",
        "native/binding/failure.cc",
        "native/binding/files.cc",
        "native/binding/netlink.cc",
        "native/binding/options.cc",
        "native/binding/owners.cc",
        "native/binding/set_elements.cc",
        "native/binding/sockets.cc",
        "native/binding/xtables.cc",
        "native/namespaces/run.cc",
        "native/netlink/answer.cc",
        "native/netlink/beside.cc",
        "native/netlink/socket.cc",
        "native/nftables/elements.cc",
        "native/nftables/order.cc",
        "native/nftables/read.cc",
        "native/processes/cgroups.cc",
        "native/processes/options.cc",
        "native/processes/owners.cc",
        "native/sockets/diag.cc",
        "native/sockets/filter.cc",
        "native/sockets/interfaces.cc",
        "native/sockets/interfaces_current.cc",
        "native/sockets/interfaces_netlink.cc",
        "native/sockets/interfaces_procfs.cc",
        "native/sockets/procfs.cc",
        "native/sockets/read.cc",
        "native/sockets/table.cc",
        "native/xtables/read.cc",
      ],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_CPP_EXCEPTIONS",
        # A worker thread that is being terminated runs no more JavaScript: nobody is left to hear.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-Wall", "-Wextra"],
      # Each section is kept only if it is used, and each symbol shown only if Node asks for it.
      "cflags": ["-ffunction-sections", "-fdata-sections"],
      "ldflags": [
        "-Wl,--gc-sections",
        "-Wl,--version-script=<(module_root_dir)/native/exports.map",
      ],
      "conditions": [
        ["strict=='true'", {"cflags_cc": ["-Werror"]}],
        ["OS!='linux'", {"type": "none", "sources": []}],
      ],
    }
  ]
}
