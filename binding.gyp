{
  "variables": {
    # Warnings are errors where this package is developed, not where a newer compiler builds it.
    "strict%": "false",
    # Each file by itself, or "together": as one for each part (native/units.mjs).
    "units%": "",
  },
  "target_defaults": {
    "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": [
      "NAPI_VERSION=8",
      "NAPI_CPP_EXCEPTIONS",
      # A worker thread that is being terminated runs no more JavaScript: nobody is left to hear.
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
    ],
    "cflags!": ["-fno-exceptions"],
    "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-fno-rtti", "-fvisibility=hidden", "-Wall", "-Wextra"],
    # Each section is kept only if it is used, and each symbol shown only if Node asks for it.
    "cflags": ["-ffunction-sections", "-fdata-sections"],
    "conditions": [["strict=='true'", {"cflags_cc": ["-Werror"]}]],
  },
  "conditions": [
    ["OS!='linux'", {"targets": [{"target_name": "earshot", "type": "none"}]}, {
      "targets": [
        {
          # What goes over every socket, owner and element of a set.
          "target_name": "decoders",
          "type": "static_library",
          "sources": ["<!@(node native/units.mjs decoders <(units))"],
          "cflags_cc": ["-O2"],
        },
        {
          "target_name": "earshot",
          "dependencies": ["decoders"],
          "sources": ["<!@(node native/units.mjs rest <(units))"],
          "cflags_cc": ["-Os"],
          "ldflags": [
            "-Wl,--gc-sections",
            "-Wl,--version-script=<(module_root_dir)/native/exports.map",
          ],
        },
      ],
    }],
  ],
}
