{
  # Test-only: opens sockets inside network namespaces for the lab. Never shipped.
  "targets": [
    {
      "target_name": "lab",
      "sources": ["lab.cc", "netns.cc", "program.cc", "listeners.cc", "flows.cc", "canary.cc", "tunnel.cc"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      "cflags_cc": ["-std=c++20", "-fexceptions", "-Wall", "-Wextra", "-Werror"],
    }
  ]
}
