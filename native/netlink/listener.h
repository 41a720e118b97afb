#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "descriptor.h"
#include "netlink/message.h"

namespace earshot::netlink {

/** A netlink socket that hears multicast groups and asks nothing. Not shared between threads. */
class Listener {
 public:
  /** `room`: bytes that may wait to be heard, as far as this user may have them. Throws. */
  Listener(int protocol, int room);

  /** Subscribes to a group; false where there is none, or not for this user. */
  bool join(uint32_t group);

  /** For poll(2). */
  int get() const { return descriptor_.get(); }

  /** Hands over what waits, without waiting for more. False: some of it was lost. */
  bool drain(const std::function<void(const Message&)>& take);

 private:
  Descriptor descriptor_;
  std::unique_ptr<uint8_t[]> buffer_;
};

}  // namespace earshot::netlink
