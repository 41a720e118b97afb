#include "binding/options.h"

#include "binding/arguments.h"

namespace earshot::binding {
namespace {

std::vector<uint32_t> column(const Napi::Object& object, const char* key, size_t length) {
  const auto values = optionalLongs(object, key);
  std::vector<uint32_t> column;
  if (values) column.assign(values->begin(), values->end());
  column.resize(length);
  return column;
}

processes::Descriptors descriptors(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  const auto inodes = optionalLongs(object, "inode");
  const size_t length = inodes ? inodes->size() : 0;
  return {column(object, "pid", length), column(object, "fd", length),
          column(object, "inode", length)};
}

Napi::Value present(Napi::Env env, std::vector<uint8_t>& options) { return toBytes(env, options); }

}  // namespace

const Question<processes::Descriptors, std::vector<uint8_t>> kSocketOptions{
    descriptors, processes::socketOptions, present};

}  // namespace earshot::binding
