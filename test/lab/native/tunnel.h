// A pair of tun devices in two namespaces, as a VPN makes them: what goes into one comes out of the
// other, carried by a thread of this process.
#pragma once

#include <string>
#include <thread>

#include "descriptor.h"

namespace lab {

class Tunnel {
 public:
  Tunnel(int netnsA, const std::string& nameA, int netnsB, const std::string& nameB);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

 private:
  void carry();

  Descriptor a_, b_, stop_;
  std::thread thread_;
};

}  // namespace lab
