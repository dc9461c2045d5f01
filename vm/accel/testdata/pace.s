# The probe's guest: how fast this machine executes guests' code, in each way in
# which guests execute it. PVH enters it in 32-bit protected mode.
#
#	A  ring 0 without paging (32-bit)    D  page faults of ring 3, two an iteration
#	B  ring 0 with paging (64-bit)       E  system calls
#	C  ring 3 (64-bit)
#
# Each is made in rounds of N iterations, N doubling from round to round, until a
# round took 2^26 ticks of the TSC: some 25 ms. Before a round the guest writes
# the letter to the first serial port, after it the small letter, at the end a
# "!". So the host, whose clock alone counts, knows how many and how long.
	.set TABLES, 0x200000		# PML4, PDPT, page directory, page table
	.set PT,     0x203000
	.set TSS,    0x204000
	.set IDT,    0x205000
	.set KSTACK, 0x210000
	.set USTACK, 0x20e000
	.set SAVED,  0x206000
	.set FAULTS, 0x400000		# two pages, of which one is mapped at a time
	.set ENOUGH, 1 << 26

	.macro put byte
	mov $0x3f8, %dx
	mov $\byte, %al
	out %al, %dx
	.endm

	.macro rounds letter, first, body
	mov $\first, %ebp
1:	put \letter
	rdtsc
	mov %eax, %esi
	mov %edx, %edi
	mov %ebp, %ecx
	\body
	rdtsc
	sub %esi, %eax
	sbb %edi, %edx
	mov %eax, %esi
	mov %edx, %edi
	put (\letter + 32)
	add %ebp, %ebp
	test %edi, %edi
	jnz 2f
	cmp $ENOUGH, %esi
	jb 1b
2:
	.endm

	.macro count
3:	dec %ecx
	jnz 3b
	.endm

	.macro user where
	mov $\where, %eax
	call enter
	.endm

	.code32
	cli
	cld
	mov $KSTACK, %esp
	rounds 'A', 8192, count

	mov $TABLES, %edi		# clear what follows
	xor %eax, %eax
	mov $0x1c00, %ecx
	rep stosl
	movl $TABLES + 0x1007, TABLES
	movl $TABLES + 0x2007, TABLES + 0x1000
	movl $0x87, TABLES + 0x2000	# 4 MiB as they are, for ring 3, too
	movl $0x200087, TABLES + 0x2008
	movl $PT + 7, TABLES + 0x2010
	movl $KSTACK - 0x1000, TSS + 4	# the stack of ring 0, when ring 3 calls
	mov $fault, %eax
	mov $IDT + 14 * 16, %edi
	call gate
	mov $back, %eax
	mov $IDT + 6 * 16, %edi
	call gate
	mov $0x20, %eax			# PAE
	mov %eax, %cr4
	mov $TABLES, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		# EFER.LME
	rdmsr
	or $0x101, %eax			# and SCE
	wrmsr
	mov $0xc0000081, %ecx		# STAR
	xor %eax, %eax
	mov $0x00100008, %edx
	wrmsr
	mov $0xc0000082, %ecx		# LSTAR
	mov $called, %eax
	xor %edx, %edx
	wrmsr
	lgdt gdtr
	lidt idtr
	mov %cr0, %eax
	or $0x80000000, %eax		# PG
	mov %eax, %cr0
	ljmp $8, $long

gate:	mov %ax, (%edi)			# an interrupt gate at edi, for eax
	movw $8, 2(%edi)
	movw $0x8e00, 4(%edi)
	shr $16, %eax
	mov %ax, 6(%edi)
	ret

	.code64
long:	mov $0x10, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	mov $0x28, %eax
	ltr %ax
	rounds 'B', 8192, count
	rounds 'C', 8192, "user uloop"
	rounds 'D', 8, "user ufaults"
	rounds 'E', 16, "user ucalls"
	put '!'
4:	cli
	hlt
	jmp 4b

enter:	mov %rsp, SAVED			# ring 3 from eax on; its ud2 returns
	push $0x1b
	push $USTACK
	push $2
	push $0x23
	push %rax
	iretq
back:	mov SAVED, %rsp
	ret

uloop:	dec %ecx
	jnz uloop
	ud2
ufaults: movb $1, FAULTS
	movb $1, FAULTS + 0x1000
	dec %ecx
	jnz ufaults
	ud2
ucalls:	mov %ecx, %ebx
6:	syscall
	dec %ebx
	jnz 6b
	ud2
called:	sysretq

fault:	push %rax			# maps the page that is wanted, instead of the other
	mov %cr2, %rax
	test $0x10, %ah
	jnz 8f
	movl $0x300007, PT
	movl $0, PT + 8
	invlpg FAULTS + 0x1000
	jmp 9f
8:	movl $0x300007, PT + 8
	movl $0, PT
	invlpg FAULTS
9:	pop %rax
	add $8, %rsp
	iretq

	.balign 8
gdt:	.quad 0, 0x00209a0000000000, 0x0000920000000000, 0x0000f20000000000, 0x0020fa0000000000
	.quad 0x0000890000000067 | (TSS & 0xffff) << 16 | (TSS >> 16) << 32, 0
gdtr:	.word gdtr - gdt - 1
	.long gdt
idtr:	.word 15 * 16 - 1
	.long IDT
