#include "binding/set_elements.h"

#include <cstring>

#include "binding/arguments.h"
#include "binding/netlink.h"
#include "namespaces/run.h"

namespace earshot::binding {
namespace {

using nftables::Elements;

nftables::Shape toShape(const Napi::Object& object) {
  return {number(object, "keyLength"), number(object, "valueLength"),
          object.Get("verdicts").ToBoolean(), object.Get("ranges").ToBoolean()};
}

SetElementsQuery setElementsQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  const Napi::Array sets = array(object, "sets");
  SetElementsQuery query;
  query.sets.reserve(sets.Length());
  for (uint32_t at = 0; at < sets.Length(); at++) {
    const Napi::Object set = sets.Get(at).ToObject();
    query.sets.push_back(
        {toRequest(set.Get("request").ToObject()), toShape(set.Get("shape").ToObject())});
  }
  query.netns = optionalString(object, "netns");
  return query;
}

SetElementsAnswer read(const SetElementsQuery& query) {
  SetElementsAnswer answer;
  namespaces::run(query.netns, [&] { answer = nftables::readElements(query.sets); });
  return answer;
}

/** A typed array with a copy of a column. */
template <class Array, class Element>
Napi::Value column(Napi::Env env, const std::vector<Element>& values) {
  auto array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(Element));
  return array;
}

/** What elements share; null where none has any. */
Napi::Value toShared(Napi::Env env, const nftables::Shared& shared,
                     const std::vector<int32_t>& rows) {
  if (shared.ends.empty()) return env.Null();
  auto result = Napi::Object::New(env);
  result.Set("bytes", toBytes(env, shared.bytes));
  result.Set("ends", column<Napi::Uint32Array>(env, shared.ends));
  result.Set("rows", column<Napi::Int32Array>(env, rows));
  return result;
}

Napi::Value toCatchall(Napi::Env env, const std::optional<nftables::Catchall>& catchall) {
  if (!catchall) return env.Null();
  auto result = Napi::Object::New(env);
  result.Set("value", catchall->value ? toBytes(env, *catchall->value) : env.Null());
  result.Set("verdict", Napi::Number::New(env, catchall->verdict));
  result.Set("object", Napi::Number::New(env, catchall->object));
  result.Set("expressions", Napi::Number::New(env, catchall->expressions));
  return result;
}

Napi::Value toColumns(Napi::Env env, const Elements& elements) {
  auto result = Napi::Object::New(env);
  result.Set("size", Napi::Number::New(env, static_cast<double>(elements.size)));
  result.Set("keys", toBytes(env, elements.keys));
  result.Set("keyEnds", elements.keyEnds ? toBytes(env, *elements.keyEnds) : env.Null());
  result.Set("closes", toBytes(env, elements.closes));
  result.Set("values", toBytes(env, elements.values));
  result.Set("verdicts", toShared(env, elements.verdicts, elements.verdictOf));
  result.Set("objects", toShared(env, elements.objects, elements.objectOf));
  result.Set("expressions", toShared(env, elements.expressions, elements.expressionsOf));
  result.Set("catchall", toCatchall(env, elements.catchall));
  return result;
}

Napi::Value present(Napi::Env env, SetElementsAnswer& answer) {
  const auto results = Napi::Array::New(env, answer.size());
  for (uint32_t at = 0; at < answer.size(); at++) {
    if (const auto* elements = std::get_if<Elements>(&answer[at])) {
      results.Set(at, toColumns(env, *elements));
    } else {
      results.Set(at, toRefusal(env, std::get<netlink::Refusal>(answer[at])));
    }
  }
  return results;
}

}  // namespace

const Question<SetElementsQuery, SetElementsAnswer> kReadSetElements{setElementsQuery, read,
                                                                     present};

Napi::Value packSetElements(const Napi::CallbackInfo& info) {
  const auto bytes = bytesArgument(info, 0);
  const auto shape = toShape(objectArgument(info, 1));
  const bool swapped = booleanArgument(info, 2);
  std::optional<Failure> failure;
  try {
    return toColumns(info.Env(), nftables::packAll(shape, bytes, swapped));
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    failure = currentFailure();
  }
  throw toError(info.Env(), *failure);
}

}  // namespace earshot::binding
