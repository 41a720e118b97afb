#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace earshot::files {

/** The bytes of a file; the kernel does not know the size of those in /proc beforehand. */
using Content = std::variant<std::vector<uint8_t>, int>;

/** Reads a whole file into `out`; returns 0, or the error number with `out` untouched. */
int read(const std::string& path, std::vector<uint8_t>& out);

/** As above, for a path below an open directory. */
int readAt(int directory, const char* path, std::vector<uint8_t>& out);

struct Query {
  std::vector<std::string> paths;
  std::optional<std::string> netns;
};

/** Each file's bytes, or the error number it was refused with. */
std::vector<Content> readAll(const Query& query);

}  // namespace earshot::files
