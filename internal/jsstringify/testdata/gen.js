// Writes vectors.json, what Node makes of documents: node gen.js > vectors.json
const documents = [
  String.raw`{"a":"https:\/\/pay.example.com\/c\/1"}`,
  String.raw` { "b" : [ 1 , 2.50 , { } , [ ] ] ,` + '\n\t"a" : null , "c" : true , "d" : false }\r\n',
  String.raw`{"b":1,"10":2,"a":3,"2":4,"01":5,"-1":6,"4294967294":7,"4294967295":8,"1e3":9,"":10,"+1":11,"0":12,"1.5":13}`,
  String.raw`{"a":1,"b":2,"a":3}`, String.raw`{"a":1,"\u0061":{"b":1,"b":2}}`, String.raw`{"1":1,"x":2,"1":3,"x":4,"0":5}`,
  String.raw`{"__proto__":{"a":1},"constructor":2}`, String.raw`{"\u0031":1,"a":2,"\ud800":3,"\/":4}`,
  String.raw`[300,300.00,3e2,3E+2,0.1,1e21,1e20,123456789012345678901234567890,1e-6,1e-7,1.5e-7,-1e-10,9007199254740993,0.30000000000000004]`,
  String.raw`[-0,-0.0,0e9,1e999,-1e999,1e-999,5e-324,2.2250738585072014e-308,1.7976931348623157e308,123e-20,4.35,100,1E400,1e100,-1.5e+300]`,
  String.raw`["\u0000\u001f\u0008\u0009\u000a\u000c\u000d\u0022\u005c\u002f\u007f\u0080\u2028\u2029\ufeff\uFFFF"]`,
  String.raw`["\b\f\n\r\t\"\\\/","<>&'","é","\u00e9","\u00E9","😀","\ud83d\ude00","\uD83D\uDE00"]`,
  String.raw`["\ud83d","\ude00","\ud83dx","\ud83d\ud83d\ude00","\ude00\ud83d","\ud83d\n","\udbff\udfff","\ud83d\u0041","\uDEAD\uBEEF"]`,
  '"text"', '12', 'null', '  true ', '[]', '{}', '[[[[{"a":[[]]}]]]]', '"\u2028\u2029\u007f\ufffd"',
  // What is none.
  '', '{', '{"a":1,}', '01', '1.', '"\u0001"', '{"a":NaN}', '\ufeff{}', "{'a':1}", '"\\x41"', '1 2',
]
const vectors = documents.map(document => {
  try { return { document, rewritten: JSON.stringify(JSON.parse(document)) } } catch { return { document } }
})
console.log(JSON.stringify(vectors, null, 1))
