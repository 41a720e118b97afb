// Runs a program inside a network namespace.
#pragma once

#include <string>
#include <vector>

namespace lab {

struct ProgramResult {
  /// The exit status; 128 and the signal's number for one that a signal ended.
  int status = 0;
  std::string output;
  std::string errors;
};

/// Starts `arguments[0]`, found in PATH, with `input` as its standard input, and waits for its end.
ProgramResult runProgram(int netns, const std::vector<std::string>& arguments,
                         const std::string& input);

}  // namespace lab
