#pragma once

#include <cstdint>
#include <optional>

#include "error.h"
#include "sockets/read.h"

namespace earshot::watch {

/** What has changed, or a part of it: WatchBatch of lib/native.ts. */
struct Batch {
  /**
   * One after the other: sockets that closed, that opened, that changed as they are, the same as
   * they were, and that opened and closed.
   */
  sockets::Reading sockets;
  uint32_t closed = 0;
  uint32_t opened = 0;
  uint32_t changed = 0;
  /** NetworkPart bits. */
  uint32_t network = 0;
  /** Sockets that opened and closed between two polls may be missing. */
  bool missed = false;
  /** The first look is done, and what opens from now on is told: nothing else is. */
  bool ready = false;
  /** It is over: nothing follows. With the reason, unless it was asked for. */
  bool ended = false;
  std::optional<Failure> failure;
};

}  // namespace earshot::watch
