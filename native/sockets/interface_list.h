#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sockets/query.h"

namespace earshot::sockets {

/** The interfaces of a network namespace and their addresses, as far as a join needs them. */
struct InterfaceList {
  struct Owned {
    Prefix prefix;
    /** The interface's index. */
    uint32_t index;
  };

  /** By index. */
  std::map<uint32_t, std::string> names;
  std::vector<uint32_t> loopbacks;
  std::vector<Owned> addresses;
};

/** The calling thread's namespace by rtnetlink. */
InterfaceList readInterfacesByNetlink();

/** The same by proc_net(5) and netdevice(7), for where netlink is not to be had. */
InterfaceList readInterfacesByProcfs();

}  // namespace earshot::sockets
