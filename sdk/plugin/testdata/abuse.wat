;; A plug-in that does what its input says. Post-processing looks at the number of classes, pre-processing at the width of
;; the picture; 1 is the well-behaved answer, so that a test can ask for it after any other.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (table 1 funcref)
  (type $void (func))
  (global $calls (mut i32) (i32.const 0))

  (data (i32.const 64) "{\"calls\": 1}")          ;; 12 bytes; the digit is at 74
  (data (i32.const 96) "[1, 2]")                  ;; JSON, but no object
  (data (i32.const 112) "{\"a\": }")              ;; no JSON
  (data (i32.const 128) "{\"\ff\": 1}")           ;; no UTF-8
  (data (i32.const 256) "\01\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\01\00\00\00")     ;; part 1x1 at 0,0
  (data (i32.const 288) "\01\00\00\00\02\00\00\00\00\00\00\00\02\00\00\00\01\00\00\00")     ;; part beyond the right border
  (data (i32.const 320) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00")     ;; part without columns
  (data (i32.const 352) "\01\00\00\00\ff\ff\ff\ff\00\00\00\00\02\00\00\00\01\00\00\00")     ;; x + width wraps
  (data (i32.const 384) "\09\00\00\00")                                                      ;; unknown kind
  (data (i32.const 416) "\02\00\00\00\02\00\00\00\01\00\00\00abcde")                         ;; one byte of pixels missing
  (data (i32.const 448) "\02\00\00\00\ff\ff\ff\7f\01\00\00\00abc")                           ;; picture of 2^31-1 columns
  (data (i32.const 480) "\02\00\00\00\01\00\00\00\01\00\00\00xyz")                           ;; a picture of one pixel

  (func (export "edgeadapt_alloc") (param $size i32) (result i32)
    (if (i32.eq (local.get $size) (i32.const 27)) (then (return (i32.const 0))))             ;; a 9x1 picture: no room
    (if (i32.eq (local.get $size) (i32.const 30)) (then (return (i32.const 0x7ffffff0))))    ;; a 10x1 picture: outside
    (i32.const 65536))

  (func $out (param $at i32) (param $size i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $size))))

  (func $recurse (param $n i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (i32.add (local.get $n) (i32.const 1)))))

  (func (export "edgeadapt_postprocess_v1") (param $in i32) (param $size i32) (result i64)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store8 (i32.const 74) (i32.add (i32.const 48) (global.get $calls)))
    (block $calm (block $loop (block $grow (block $growloop (block $deep (block $trap (block $outside (block $huge (block $nojson
    (block $noobject (block $noutf8 (block $ends (block $divide (block $load (block $indirect (block $empty (block $endless
      (br_table $calm $calm $loop $grow $growloop $deep $trap $outside $huge $nojson $noobject $noutf8 $ends $divide $load $indirect
        $empty $endless (i32.load offset=4 (local.get $in))))
      ;; 17: the output runs beyond the memory's end
      (return (call $out (i32.const 131000) (i32.const 1000))))
      ;; 16
      (return (i64.const 0)))
      ;; 15: a table entry that was never set
      (call_indirect (type $void) (i32.const 0)))
      ;; 14
      (return (call $out (i32.load (i32.const 0x7ffffff0)) (i32.const 1))))
      ;; 13
      (return (call $out (i32.div_u (i32.const 1) (i32.load (i32.const 0))) (i32.const 1))))
      ;; 12
      (call $exit (i32.const 7)))
      ;; 11
      (return (call $out (i32.const 128) (i32.const 8))))
      ;; 10
      (return (call $out (i32.const 96) (i32.const 6))))
      ;; 9
      (return (call $out (i32.const 112) (i32.const 7))))
      ;; 8: more than any output may have
      (return (call $out (i32.const 0) (i32.const 0x7fffffff))))
      ;; 7: address outside of the memory
      (return (call $out (i32.const 0x7ffffff0) (i32.const 12))))
      ;; 6
      (unreachable))
      ;; 5: recursion without end
      (return (call $out (call $recurse (i32.const 0)) (i32.const 1))))
      ;; 4: asks for memory for ever
      (loop $more (drop (memory.grow (i32.const 1))) (br $more)))
      ;; 3: takes all the memory there is, and says how many pages that was by dying
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (call $exit (memory.size)))
      ;; 2
      (loop $again (br $again)))
    (call $out (i32.const 64) (i32.const 12)))

  (func (export "edgeadapt_preprocess_v1") (param $in i32) (param $width i32) (param $height i32) (param $side i32) (result i64)
    (if (i32.eq (local.get $width) (i32.const 2)) (then (return (call $out (i32.const 288) (i32.const 20)))))
    (if (i32.eq (local.get $width) (i32.const 3)) (then (return (call $out (i32.const 320) (i32.const 20)))))
    (if (i32.eq (local.get $width) (i32.const 4)) (then (return (call $out (i32.const 352) (i32.const 20)))))
    (if (i32.eq (local.get $width) (i32.const 5)) (then (return (call $out (i32.const 384) (i32.const 4)))))
    (if (i32.eq (local.get $width) (i32.const 6)) (then (return (call $out (i32.const 416) (i32.const 17)))))
    (if (i32.eq (local.get $width) (i32.const 7)) (then (return (call $out (i32.const 448) (i32.const 15)))))
    (if (i32.eq (local.get $width) (i32.const 8)) (then (return (call $out (i32.const 256) (i32.const 19)))))
    (if (i32.eq (local.get $width) (i32.const 11)) (then (return (i64.const 3))))
    (if (i32.eq (local.get $width) (i32.const 13)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $width) (i32.const 12)) (then (return (call $out (i32.const 480) (i32.const 15)))))
    (call $out (i32.const 256) (i32.const 20))))
