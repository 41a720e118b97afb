#pragma once

#include <chrono>

#include "sockets/query.h"

namespace earshot::watch {

/** What to watch: WatchQuery of lib/native.ts. */
struct Query {
  sockets::Query sockets;
  std::chrono::milliseconds interval;
  /** Tell the sockets that are there already as opened. */
  bool existing = false;
  /** Tell also the sockets that opened and closed between two polls. */
  bool fleeting = false;
};

}  // namespace earshot::watch
