#include "binding/files.h"

#include "binding/arguments.h"

namespace earshot::binding {
namespace {

files::Query fileQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  files::Query query;
  const Napi::Array paths = array(object, "paths");
  for (uint32_t at = 0; at < paths.Length(); at++) {
    query.paths.push_back(paths.Get(at).ToString().Utf8Value());
  }
  query.netns = optionalString(object, "netns");
  return query;
}

Napi::Value present(Napi::Env env, std::vector<files::Content>& contents) {
  const auto results = Napi::Array::New(env, contents.size());
  for (uint32_t at = 0; at < contents.size(); at++) {
    if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&contents[at])) {
      results.Set(at, toBytes(env, *bytes));
    } else {
      results.Set(at, Napi::Number::New(env, std::get<int>(contents[at])));
    }
  }
  return results;
}

}  // namespace

const Question<files::Query, std::vector<files::Content>> kReadFiles{fileQuery, files::readAll,
                                                                     present};

}  // namespace earshot::binding
