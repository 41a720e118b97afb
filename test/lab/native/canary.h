// Tells whether packets are still under way. A packet over a veth, a bridge or lo waits in one
// queue of the CPU that sent it (enqueue_to_backlog), first in, first out. So when a packet that
// was sent last has arrived, those before it have arrived too, at the next hop at least.
#pragma once

#include "descriptor.h"

namespace lab {

class Canary {
 public:
  /// Keeps the calling thread on its CPU, and leaves it in a network namespace of its own.
  Canary();

  /// Comes back when everything sent before from this thread has gone as far as it goes by itself.
  void fly() const;

 private:
  Descriptor socket_;
};

}  // namespace lab
