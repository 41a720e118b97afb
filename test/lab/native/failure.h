// What every part of the lab throws when the kernel refuses: the call, and its errno.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace lab {

struct Failure : std::runtime_error {
  Failure(const std::string& call, int error)
      : std::runtime_error(call + ": " + std::strerror(error)), error(error) {}
  explicit Failure(const std::string& call) : Failure(call, errno) {}
  int error;
};

}  // namespace lab
